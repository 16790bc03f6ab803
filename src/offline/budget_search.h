#pragma once

#include <functional>
#include <optional>
#include <string>
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

/// What a question costs under a choice, on this machine, from interleaved repeated runs.
struct TimedChoice {
  double ms = 0;        ///< mean of a question
  double ms_error = 0;  ///< standard error of that mean
  std::vector<double> stage_ms;
};

/// What the search asks of the world; the real one runs a model, a test's has planted answers.
/// Every answer may come from a store, and the same question gets the same answer: a search that is
/// started anew goes the same way and meets its finished work there.
class SearchWorld {
 public:
  virtual ~SearchWorld() = default;
  virtual int question_count() const = 0;
  /// Nothing when the user asked to stop.
  virtual std::optional<Trial> run(const Choice& choice, int question) = 0;
  /// @param trials of this choice, all questions: their lengths weigh the measured times
  virtual std::optional<TimedChoice> time(const Choice& choice,
                                          const std::vector<Trial>& trials) = 0;
};

enum class SearchMethod { paper, latency };

struct SearchOptions {
  SearchMethod method = SearchMethod::latency;
  double max_loss = 2;  ///< points of accuracy that may be lost, observed
  double racing_error =
      0.05;  ///< chance that racing drops a candidate whose loss is within max_loss
  double bound_level = 0.95;  ///< of the chosen plan's loss bound
};

/// Why a candidate did not win.
enum class Verdict {
  chosen,
  slower,      ///< accurate enough, but another one is faster
  over_limit,  ///< all questions run, loss over the limit
  raced_out,   ///< dropped on the way: its loss is clearly over the limit
  not_run,     ///< could not have been faster than what was found already
};

std::string to_string(Verdict verdict);

/// Everything that is known of one candidate of one stage's sweep.
struct SweepRecord {
  std::string stage;
  int candidate = 0;
  Choice choice;  ///< with every other stage as it was held then
  Verdict verdict = Verdict::not_run;
  int questions = 0;  ///< run
  int correct = 0;
  int lost = 0;
  int gained = 0;
  std::optional<TimedChoice> time;
  std::vector<double> written;  ///< tokens a question, a stage
};

struct SearchProgress {
  std::string stage;
  std::string candidate;  ///< label
  int candidates_done = 0;
  int candidates = 0;
  int questions_done = 0;
  int questions = 0;
  int correct = 0;
  int full_correct = 0;  ///< on the same questions
};

struct SearchResult {
  bool interrupted = false;
  Choice chosen;
  std::vector<SweepRecord> sweeps;  ///< in the order they were run
  std::vector<std::string> stage_order;
  MeasuredAccuracy accuracy;  ///< of the choice, with its bound
  TimedChoice full_time;
  TimedChoice chosen_time;
  long trials = 0;  ///< questions run, or met in the store
  long trials_without_racing = 0;
};

/// The search for each stage's budget (paper, step 2): stages from the slowest to the fastest; each
/// sweeps its candidates with every other stage held at what is already chosen (nothing left out if
/// not yet); among those whose observed loss is within the limit the one of lowest measured latency
/// is frozen.
///
/// The paper's method runs every candidate, by ascending number of sublayers. Ours starts at the
/// one predicted fastest and does not run those that are predicted slower than one already
/// measured. Both drop a candidate as soon as its loss is clearly over the limit (racing.h).
SearchResult budget_search(const std::vector<StageCandidates>& stages, SearchWorld& world,
                           const SearchOptions& options,
                           const std::function<void(const SearchProgress&)>& progress = {});

}  // namespace litestage
