// Stages run without what makes them fast, for comparison, write the same texts.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "litestage/pipeline.h"
#include "support/calibration.h"
#include "support/decoder_tools.h"
#include "support/pool_tools.h"

namespace litestage::test {
namespace {

class SlowerWays : public testing::Test {
 protected:
  explicit SlowerWays(const TinyOptions& model = {}) : tiny_(model) {}

  QuestionRecord ask(const PipelineOptions& options, PipelineListener* listener = nullptr,
                     const std::atomic<bool>* stop = nullptr) {
    Decoder decoder(tiny_.model(), exact_decoder(1024));
    Pipeline pipeline(decoder, parse_program(program_, "three.toml"), options);
    const Question question{.id = "heavy",
                            .text = "Which is heavier?",
                            .options = letter_options({"a brick", "a feather", "a leaf"}),
                            .gold = "A",
                            .program = ""};
    QuestionRecord record = pipeline.answer(question, listener, stop);
    sequences_left_ = decoder.sequences().size();
    return record;
  }

  static void expect_same_texts(const QuestionRecord& one, const QuestionRecord& other) {
    ASSERT_EQ(one.stages.size(), other.stages.size());
    for (std::size_t i = 0; i < one.stages.size(); ++i) {
      EXPECT_EQ(one.stages[i].text, other.stages[i].text) << i;
      EXPECT_EQ(one.stages[i].tokens, other.stages[i].tokens) << i;
      EXPECT_EQ(one.stages[i].stop_reason, other.stages[i].stop_reason) << i;
    }
    EXPECT_NEAR(*one.stages.back().margin, *other.stages.back().margin, 1e-4);
    EXPECT_EQ(one.answer, other.answer);
  }

  LoadedTiny tiny_;
  std::string program_ = early_answer_program_text();
  std::size_t sequences_left_ = 0;
};

TEST_F(SlowerWays, WhereNoKvIsKeptEveryStageReadsItsWholeContext) {
  PipelineOptions options;
  options.early = {1, 0, true};  // asked for wherever it can be, never taken
  const QuestionRecord kept = ask(options);
  EXPECT_EQ(sequences_left_, 1U) << "the preamble";
  options.keep_kv = false;
  const QuestionRecord anew = ask(options);
  EXPECT_EQ(sequences_left_, 0U);
  expect_same_texts(kept, anew);
  ASSERT_EQ(anew.stages.size(), 7U);
  for (std::size_t i = 0; i < anew.stages.size(); ++i) {
    const StageRecord& stage = anew.stages[i];
    EXPECT_GT(kept.stages[i].reused_tokens, 0) << i;
    // What branches share is read once for all of them.
    const bool behind_a_branch = stage.option == "B" || stage.option == "C";
    EXPECT_EQ(stage.reused_tokens, behind_a_branch ? kept.stages[i].reused_tokens : 0) << i;
  }
}

TEST_F(SlowerWays, BranchesInTurnWriteWhatTheyWriteInOneBatch) {
  PipelineOptions options;
  const QuestionRecord together = ask(options);
  options.branches_in_turn = true;
  const QuestionRecord in_turn = ask(options);
  EXPECT_EQ(sequences_left_, 1U) << "the preamble";
  expect_same_texts(together, in_turn);
  for (std::size_t i = 0; i < in_turn.stages.size(); ++i)
    EXPECT_EQ(in_turn.stages[i].reused_tokens, together.stages[i].reused_tokens) << i;
  options.keep_kv = false;
  expect_same_texts(together, ask(options));
}

TEST_F(SlowerWays, SampledBranchesInTurnHaveTheSameSeeds) {
  program_.replace(program_.find("max_tokens = 5"), 14, "max_tokens = 5\ntemperature = 1.0");
  PipelineOptions options;
  options.seed = 3;
  const QuestionRecord together = ask(options);
  options.branches_in_turn = true;
  expect_same_texts(together, ask(options));
}

/// The branches of `analyze`, a token each.
struct BranchOrder : PipelineListener {
  bool wants_confidence() const override { return true; }
  void on_confidence(const std::string& stage, int branch, float /*value*/) override {
    if (stage == "analyze") branches.push_back(branch);
  }
  std::vector<int> branches;
};

TEST_F(SlowerWays, InTurnMeansOneBehindTheOther) {
  BranchOrder together;
  ask({}, &together);
  EXPECT_FALSE(std::ranges::is_sorted(together.branches));
  PipelineOptions options;
  options.branches_in_turn = true;
  BranchOrder in_turn;
  ask(options, &in_turn);
  EXPECT_TRUE(std::ranges::is_sorted(in_turn.branches));
  std::ranges::sort(together.branches);
  EXPECT_EQ(in_turn.branches, together.branches);
}

/// Asks to stop at a branch's first token.
struct StopAtToken : BranchOrder {
  void on_confidence(const std::string& stage, int /*branch*/, float /*value*/) override {
    if (stage == "analyze") stop.store(true);
  }
  std::atomic<bool> stop{false};
};

TEST_F(SlowerWays, StoppedInOneBranchThoseBehindItAreInterruptedToo) {
  StopAtToken stopper;
  PipelineOptions options;
  options.branches_in_turn = true;
  const QuestionRecord record = ask(options, &stopper, &stopper.stop);
  EXPECT_TRUE(record.interrupted);
  ASSERT_EQ(record.stages.size(), 4U);
  for (std::size_t branch = 1; branch < 4; ++branch) {
    EXPECT_EQ(record.stages[branch].stop_reason, StopReason::interrupted) << branch;
    EXPECT_EQ(record.stages[branch].tokens, branch == 1 ? 1 : 0) << branch;
  }
}

TEST_F(SlowerWays, StoppedWhileALaterBranchIsReadThoseBeforeItStay) {
  PipelineOptions options;
  options.branches_in_turn = true;
  options.stages["analyze"].exit.max_tokens = 1;  // the first branch ends where it is asked
  const QuestionRecord whole = ask(options);
  StopAtToken stopper;
  const QuestionRecord record = ask(options, &stopper, &stopper.stop);
  EXPECT_EQ(sequences_left_, 1U) << "the preamble";
  EXPECT_TRUE(record.interrupted);
  ASSERT_EQ(record.stages.size(), 4U);
  EXPECT_EQ(record.stages[1].stop_reason, StopReason::budget);
  EXPECT_EQ(record.stages[1].text, whole.stages[1].text);
  EXPECT_EQ(record.stages[1].reused_tokens, whole.stages[1].reused_tokens);
  EXPECT_EQ(record.stages[2].reused_tokens, whole.stages[2].reused_tokens) << "it was read";
  for (std::size_t branch = 2; branch < 4; ++branch) {
    EXPECT_EQ(record.stages[branch].stop_reason, StopReason::interrupted) << branch;
    EXPECT_EQ(record.stages[branch].tokens, 0) << branch;
    EXPECT_GT(record.stages[branch].prefill_ms, 0) << branch;
  }
}

/// Asks to stop when the branches are about to be read.
struct StopAtBranches : PipelineListener {
  void on_stage_begin(const std::string& stage,
                      const std::vector<std::string>& /*options*/) override {
    if (stage == "analyze") stop.store(true);
  }
  std::atomic<bool> stop{false};
};

TEST_F(SlowerWays, StoppedInWhatBranchesShareNoneHasIt) {
  for (const bool in_turn : {false, true}) {
    PipelineOptions options;
    options.branches_in_turn = in_turn;
    StopAtBranches stopper;
    const QuestionRecord record = ask(options, &stopper, &stopper.stop);
    EXPECT_EQ(sequences_left_, 1U) << "the preamble";
    EXPECT_TRUE(record.interrupted);
    ASSERT_EQ(record.stages.size(), 4U);
    EXPECT_GT(record.stages[1].reused_tokens, 0) << "of the stage before";
    EXPECT_EQ(record.stages[2].reused_tokens, 0);
    EXPECT_EQ(record.stages[3].reused_tokens, 0);
    for (std::size_t branch = 1; branch < 4; ++branch) {
      EXPECT_EQ(record.stages[branch].stop_reason, StopReason::interrupted) << branch;
      EXPECT_EQ(record.stages[branch].tokens, 0) << branch;
      EXPECT_GT(record.stages[branch].prefill_ms, 0) << "the time until then";
    }
  }
}

TEST_F(SlowerWays, WhereNoKvIsKeptNoneCanBeTakenOver) {
  PipelineOptions options;
  options.keep_kv = false;
  options.merge_branches = true;
  EXPECT_THROW(ask(options), UserError);
}

// In a model of one layer taking texts over changes nothing but what is computed.
class SlowerWaysOfOneLayer : public SlowerWays {
 protected:
  SlowerWaysOfOneLayer() : SlowerWays(TinyOptions{.layers = 1}) {}
};

TEST_F(SlowerWaysOfOneLayer, BranchesInTurnCanBeMerged) {
  program_.replace(program_.find("max_tokens = 5"), 14, "max_tokens = 24");
  PipelineOptions options;
  options.branches_in_turn = true;
  const QuestionRecord read = ask(options);
  options.merge_branches = true;
  const QuestionRecord merged = ask(options);
  EXPECT_EQ(sequences_left_, 1U) << "the preamble";
  expect_same_texts(read, merged);
  EXPECT_GT(merged.stages[4].reused_tokens, read.stages[4].reused_tokens + 20);
}

}  // namespace
}  // namespace litestage::test
