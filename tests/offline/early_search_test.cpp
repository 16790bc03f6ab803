// The search of early answers on a tiny random model: its answers are noise, but what is asked,
// remembered and chosen must be right all the same.
#include "offline/early_search.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "support/calibration.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

class EarlySearchTest : public testing::Test {
 protected:
  EarlySearchTest() {
    plan_.kv_reuse = KvReuse::whole;
    for (const Stage& stage : program_.stages)
      plan_.stages.emplace_back(stage.name, StageSettings{});
    for (int i = 0; i < 3; ++i) {
      for (Question question : calibration_questions()) {
        question.text += std::string(static_cast<std::size_t>(i), '?');
        question.options = letter_options({"bees", "an arch", "the sea", "salt"});
        questions_.push_back(question);
      }
    }
  }

  std::optional<EarlySweep> search(const std::string& memo = "early.memo",
                                   const std::atomic<bool>* stop = nullptr,
                                   DecoderPool* pool = nullptr) {
    StageStore store((folder_ / memo).string(), "model", program_.hash);
    tiny_.decoder.clear();
    std::optional<PoolAnswers> ahead;
    if (pool != nullptr) ahead.emplace(*pool, 3, program_, store);
    return search_early_answers(
        {{tiny_.decoder, ahead ? &*ahead : nullptr}, program_, questions_, plan_, store}, {100, 2},
        {}, stop);
  }

  Calibration tiny_;
  TemporaryFolder folder_;
  Program program_ = calibration_program_with_early_answer();
  Plan plan_;
  std::vector<Question> questions_;
};

TEST_F(EarlySearchTest, LooksAtAllBranchesAndAtFew) {
  const auto sweep = search();
  ASSERT_TRUE(sweep);
  // None; margins for all branches; never and margins for two and for three of four; margins for
  // these three asked first.
  EXPECT_EQ(sweep->candidates.size(), 1U + 21 + 2 * 22 + 3 * 21);
  for (const EarlyCandidate& candidate : sweep->candidates) {
    EXPECT_EQ(candidate.questions, 6);
    EXPECT_GT(candidate.ms, 0);
    EXPECT_LE(candidate.left, 6);
  }
  EXPECT_LE(sweep->candidates[sweep->chosen].ms, sweep->candidates[0].ms);
}

TEST_F(EarlySearchTest, NothingIsAskedFirstWhereTheQuestionStandsElsewhere) {
  program_.stages[0].prompt = "What must one know?";
  const auto sweep = search();
  ASSERT_TRUE(sweep);
  EXPECT_EQ(sweep->candidates.size(), 1U + 21 + 2 * 22);
}

TEST_F(EarlySearchTest, WorkThatIsDoneIsMetInTheStore) {
  const auto first = search();
  const auto before = tiny_.decoder.graph_statistics();
  const auto second = search();
  const auto after = tiny_.decoder.graph_statistics();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(after.built + after.reused, before.built + before.reused);
}

// Weights and KV are floats here: batches of any size round alike.
TEST_F(EarlySearchTest, QuestionsAnsweredAtTheSameTimeGetTheSameAnswers) {
  const auto alone = search("alone.memo");
  DecoderPool pool(tiny_.tiny.model(), tiny_.decoder.options());
  const auto together = search("together.memo", nullptr, &pool);
  ASSERT_TRUE(alone && together);
  ASSERT_EQ(alone->candidates.size(), together->candidates.size());
  for (std::size_t i = 0; i < alone->candidates.size(); ++i) {
    EXPECT_EQ(alone->candidates[i].correct, together->candidates[i].correct) << i;
    EXPECT_EQ(alone->candidates[i].left, together->candidates[i].left) << i;
  }
}

TEST_F(EarlySearchTest, AStoppedOneSaysSo) {
  const std::atomic<bool> stop{true};
  EXPECT_FALSE(search("stopped.memo", &stop));
}

TEST_F(EarlySearchTest, AProgramWithoutEarlyAnswersHasNoCandidates) {
  program_ = tiny_.program;
  const auto sweep = search();
  ASSERT_TRUE(sweep);
  EXPECT_TRUE(sweep->candidates.empty());
}

}  // namespace
}  // namespace litestage::test
