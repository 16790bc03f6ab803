#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/ranks.h"
#include "eval/eval_record.h"
#include "litestage/pipeline.h"
#include "stage/side_by_side.h"

namespace litestage {

/// A question set under its name.
struct EvalTask {
  std::string name;
  std::vector<Question> questions;  ///< with right answers, ids that differ
};

/// The questions that are answered several at a time, for their accuracy alone.
struct UntimedPart {
  std::size_t timed = 0;  ///< so many first questions of each task are not among them
  int portion = 1;        ///< questions to hand over together, at least 1
  /// Answers questions by an arm. Those it leaves out are answered by the arm's pipeline.
  std::function<void(int arm, std::span<const Question* const> questions, const TakeAnswer& take,
                     const std::atomic<bool>* stop)>
      answer;
};

/// How far an evaluation is. Answers of earlier calls count as done.
struct EvalProgress {
  const EvalRun* run = nullptr;  ///< all records so far
  int done = 0;                  ///< answers: questions times arms
  int total = 0;
  double seconds_left = 0;  ///< by the arms' mean times so far; 0 while nothing is known
};

struct EvalOutcome {
  EvalRun run;  ///< all of the file
  bool interrupted = false;
};

/// Answers every question of every task by all arms of that task, one JSON line an answer, and
/// goes on where an earlier call with the same header was stopped or killed.
///
/// The arms take turns at each question, in an order drawn anew for it from the seed, so that what
/// disturbs the machine for a while disturbs all of them alike. Before its first answer in a call
/// an arm answers one question that is not recorded: memory is mapped, graphs are built and
/// preambles are read then, in no question's time.
/// @param pipelines one for each arm of the header, in its order; each on a decoder of its own, or
/// they see one another's cells
/// @param path of the records file
/// @param progress told after each answer, and once at the beginning
/// @param stop ends the call within one token; the answer at hand is not recorded
/// @param untimed questions that are answered behind the others and bear no times; null: none
/// @param ranks processes that call this with the same questions and arms and share the work: each
/// takes every so-manieth question with all its arms, so that an arm's time is compared with the
/// others' on the same machine. The first one writes all records and is the only one that is told
/// of progress and returns them. Null: this process does everything
/// @throws UserError before any work when a question has no right answer, does not fit a program or
/// a context, or has changed since the file was begun, or when a rank has other questions or arms
/// than the first; and for all that EvalFile throws
EvalOutcome evaluate(const EvalHeader& header, const std::vector<Pipeline*>& pipelines,
                     const std::vector<EvalTask>& tasks, const std::string& path,
                     const std::function<void(const EvalProgress&)>& progress = {},
                     const std::atomic<bool>* stop = nullptr, const UntimedPart* untimed = nullptr,
                     Ranks* ranks = nullptr);

}  // namespace litestage
