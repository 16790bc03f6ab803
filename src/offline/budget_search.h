#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/plan.h"
#include "offline/candidate_masks.h"

namespace litestage {

/// Which candidate each stage runs on: an index for each stage, in the program's order.
using Choice = std::vector<int>;

/// One question answered under a choice.
struct Trial {
  bool correct = false;
  std::vector<int> read;     ///< fresh tokens read, a stage
  std::vector<int> written;  ///< tokens written, a stage (all branches)
};

/// What a question costs under a choice, on this machine. The real world (program_world.h) does not
/// run whole questions for it: it times a fresh token and a decode step of each stage, beside the
/// full model's in turns, and multiplies them by what each question reads and writes.
struct TimedChoice {
  double ms = 0;        ///< mean of a question
  double ms_error = 0;  ///< its standard error, from the repetitions of what was timed
  std::vector<double> stage_ms;
};

/// What the search asks of the world; the real one runs a model, a test's has planted answers.
/// Every answer may come from a store, and the same question gets the same answer: a search that is
/// started anew goes the same way and meets its finished work there.
///
/// Questions are numbered in random order (shuffled by seed): racing and the bound of the loss take
/// them for independent draws.
class SearchWorld {
 public:
  virtual ~SearchWorld() = default;
  virtual int question_count() const = 0;  ///< at least 1
  /// Nothing when the user asked to stop.
  virtual std::optional<Trial> run(const Choice& choice, int question) = 0;
  /// Nothing when the user asked to stop.
  /// @param trials of this choice, all questions: their lengths weigh the measured times
  virtual std::optional<TimedChoice> time(const Choice& choice,
                                          const std::vector<Trial>& trials) = 0;
};

enum class SearchMethod { paper, latency };

struct SearchOptions {
  SearchMethod method = SearchMethod::latency;
  double max_loss = 2;  ///< points of accuracy that may be lost, observed
  /// Chance that racing drops a candidate whose true loss is within max_loss; with 0 only those are
  /// dropped that cannot come back within the limit.
  double racing_error = 0.05;
  double bound_level = 0.95;  ///< of the chosen plan's loss bound
  /// What is chosen already, where a search goes on from another one's choice: stages are held at
  /// it and sweep their other candidates. Empty: nothing left out. The full model, whose answers
  /// the loss is counted from, is all first candidates in any case.
  Choice start = {};
  double other_choices =
      0;  ///< choices that search could have come to: the bound holds for them too
};

/// Why a candidate did not win.
enum class Verdict {
  chosen,
  slower,      ///< accurate enough, but another one is faster
  over_limit,  ///< all questions run, loss over the limit
  raced_out,   ///< dropped on the way: its loss is clearly over the limit
  not_run,     ///< could not have been faster than one found already, or the search was stopped
  refuted,     ///< accepted, but has what lost too much on questions that the search had not seen
};

std::string_view to_string(SearchMethod method);
std::string_view to_string(Verdict verdict);

/// Everything that is known of one candidate of one stage's sweep.
struct SweepRecord {
  std::string stage;
  int candidate = 0;
  Choice choice;      ///< with every other stage as it was held then
  double damage = 0;  ///< nats a token, summed over the stages; NaN when not measured
  Verdict verdict = Verdict::not_run;
  int questions = 0;  ///< run
  int correct = 0;
  int lost = 0;
  int gained = 0;
  std::optional<TimedChoice> time;  ///< of those that are accurate enough
  std::vector<double> written;      ///< tokens a question, a stage
};

struct SearchProgress {
  std::string stage;
  std::string candidate;  ///< label; stage and label are empty while the full model runs
  int candidates_done = 0;
  int candidates = 0;
  int questions_done = 0;
  int questions = 0;
  int correct = 0;
  int full_correct = 0;  ///< on the same questions
  /// That may still be run behind this one, in all stages, the choice to go on from among them: no
  /// more than so many, as predictions may pass over some.
  int candidates_left = 0;

  /// Questions that may still be answered; racing may leave some unasked.
  long questions_left() const {
    return questions - questions_done + static_cast<long>(candidates_left) * questions;
  }
};

struct SearchResult {
  bool interrupted = false;  ///< `chosen` is then the best of what was finished
  Choice start;              ///< what the search went on from
  Choice chosen;
  std::vector<SweepRecord> sweeps;       ///< stage by stage, ours by what was predicted
  std::vector<std::string> stage_order;  ///< of the sweeps; stages without a choice are not in it
  MeasuredAccuracy accuracy;             ///< of the choice, with its bound
  TimedChoice full_time;
  TimedChoice chosen_time;
  std::vector<double> full_written;  ///< tokens a question, a stage
  double choices = 0;                ///< that the bound holds for at once
  long trials = 0;                   ///< questions run, or met in the store
  long trials_without_racing = 0;
};

/// The search for each stage's budget (paper, step 2): stages from the slowest to the fastest; each
/// sweeps its candidates with every other stage held at what is already chosen (nothing left out if
/// not yet); among those whose observed loss over all questions is within the limit the one of
/// lowest measured latency is frozen (of equal ones that of lower damage, then the first run).
/// A stage's first candidate was measured as the choice of the stage before; so nothing is ever
/// chosen that is not faster than leaving out nothing.
///
/// The paper's method runs every candidate, by ascending number of sublayers. Ours starts at the
/// one predicted fastest and does not run those that are predicted no faster than one already
/// measured: the prediction of a stage, made for the full model's texts and with what is read again
/// because of it, is scaled by what the stage's first candidate takes measured over predicted, the
/// other stages count as they were measured, and a candidate is taken to write texts no shorter
/// than those of the first one (leaving sublayers out makes texts longer rather than shorter). A
/// candidate that is predicted fast and measured slow, because its texts grew, shuts nobody out.
/// Where a stage has five candidates or more and each slower one does less damage, ours starts in
/// the middle instead and halves what is left: one whose loss is over the limit speaks against all
/// of more damage, one that is accepted against all that are predicted slower, whatever it was
/// measured to take. (Nearly all of a search's questions go into candidates that lose; this way a
/// finer choice costs no more of them.) Both drop a candidate as soon as its loss is clearly over
/// the limit (racing.h); what is dropped is never chosen.
///
/// The bound of the chosen plan's loss (paired_accuracy.h) allows for its being the best of many on
/// the same questions: it holds for all choices that the sweeps could have come to at once
/// (Bonferroni), so each gets (1 - bound_level) / (product of the stages' numbers of candidates -
/// 1). The product and not the sum, because a later stage's sweep runs on what an earlier one found
/// on these very questions, so which choices it tries is a matter of chance too. It is known before
/// anything is run, and what racing or prediction passes over counts. The full model's own loss is
/// 0 by definition.
SearchResult budget_search(const std::vector<StageCandidates>& stages, SearchWorld& world,
                           const SearchOptions& options,
                           const std::function<void(const SearchProgress&)>& progress = {});

/// The choices that a search found accurate enough, each once, the full model's first: what has to
/// be timed anew before `repick`.
std::vector<Choice> accepted_choices(const SearchResult& result);

/// Takes back the last step of the way to the choice, for what other questions said of it: every
/// accepted record with that stage's candidate is refuted, and the step before is the choice.
/// @return the stage whose step that was; nothing where the search has chosen nothing
std::optional<std::string> refute(SearchResult& result);

/// Chooses again, by stored accuracies and new times (of another machine, or other threads): the
/// fastest of all accepted choices of all sweeps. With the times of the search itself the choice
/// stays, unless a step was refuted since. Verdicts, times, accuracy and bound are brought up to
/// date.
/// @param times one for each of `accepted_choices`
void repick(SearchResult& result, const std::map<Choice, TimedChoice>& times);

}  // namespace litestage
