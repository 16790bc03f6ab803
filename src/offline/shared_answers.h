#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/ranks.h"
#include "litestage/decoder_pool.h"
#include "litestage/plan.h"
#include "litestage/program.h"
#include "litestage/question.h"
#include "offline/answers_ahead.h"
#include "offline/stage_store.h"

namespace litestage {

/// What a search's ranks must have in common.
struct SharedSearch {
  const Program& program;
  const std::vector<Question>& questions;  ///< all of the search's, in its order
  std::string model_hash;
  int layers = 0;
  std::string engine = {};  ///< of the first rank's store (stage_store.h)
};

/// Shares a search's questions with other ranks, as the first of them: the others' stages come into
/// the store one by one, as if they had been run here. Which rank answers a question does not
/// change, so that it knows what its earlier stages wrote.
///
/// All that decides something or is timed stays with the first rank; the others wait meanwhile.
class SharedAnswers : public AnswersAhead {
 public:
  /// Tells the others what is searched, and gives them what the store holds.
  /// @param pool, ranks, store and what is shared must outlive it
  /// @param at_once questions on each rank's pool
  SharedAnswers(DecoderPool& pool, int at_once, Ranks& ranks, SharedSearch shared,
                StageStore& store);
  /// Lets the others go.
  ~SharedAnswers() override;
  SharedAnswers(const SharedAnswers&) = delete;
  SharedAnswers& operator=(const SharedAnswers&) = delete;

  int at_once() const override { return own_.at_once() * ranks_.size(); }
  /// @param questions among those that are shared
  void answer(const Plan& plan, std::span<const Question> questions,
              const std::atomic<bool>* stop) override;

 private:
  Ranks& ranks_;
  SharedSearch shared_;
  std::map<std::string, std::size_t> places_;  ///< of the questions, by their hashes
  StageStore& store_;
  PoolAnswers own_;
};

/// Ends the others' part, as the first rank, where no answers will be shared: they wait for them.
void let_go(Ranks& ranks);

/// The part of every rank but the first: answers what that one hands out, until it lets them go,
/// which may be before it hands out anything.
/// @throws UserError when this rank has another model, program, other flags or questions than the
/// first
void help_search(DecoderPool& pool, int at_once, Ranks& ranks, const SharedSearch& shared,
                 const std::atomic<bool>* stop = nullptr);

}  // namespace litestage
