#include "offline/stage_store.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "litestage/error.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

class StageStoreTest : public testing::Test {
 protected:
  StageStoreTest() {
    stage_.name = "think";
    contexts_ = {{{1, 2, 3}, "A"}, {{1, 2, 4}, "B"}};
  }

  std::string path() const { return (folder_ / "plan.memo").string(); }
  StageCall call() const { return {question_, stage_, settings_, contexts_, 7, 0.0F, ""}; }

  static StageOutcome outcome() {
    StageOutcome outcome;
    StageRecord record;
    record.name = "think";
    record.option = "B";
    record.text = "so";
    record.prompt_tokens = 3;
    record.reused_tokens = 2;
    record.tokens = 2;
    record.prefill_ms = 1.5;
    record.decode_ms = 2.5;
    record.stop_reason = StopReason::low_confidence;
    record.mask = "f1";
    record.prefill_mask = "none";
    outcome.records = {record, record};
    outcome.raw_texts = {" so", "half a character: \xC3"};
    outcome.tokens = {{5, 6}, {}};
    outcome.confidences = {{{1.5F, 0.25F, -2.0F}, {0, 1, 0}}, {}};
    return outcome;
  }

  static void expect_equal(const StageOutcome& a, const StageOutcome& b) {
    ASSERT_EQ(a.records.size(), b.records.size());
    for (std::size_t i = 0; i < a.records.size(); ++i) {
      EXPECT_EQ(a.records[i].name, b.records[i].name);
      EXPECT_EQ(a.records[i].option, b.records[i].option);
      EXPECT_EQ(a.records[i].text, b.records[i].text);
      EXPECT_EQ(a.records[i].prompt_tokens, b.records[i].prompt_tokens);
      EXPECT_EQ(a.records[i].reused_tokens, b.records[i].reused_tokens);
      EXPECT_EQ(a.records[i].tokens, b.records[i].tokens);
      EXPECT_EQ(a.records[i].prefill_ms, b.records[i].prefill_ms);
      EXPECT_EQ(a.records[i].decode_ms, b.records[i].decode_ms);
      EXPECT_EQ(a.records[i].stop_reason, b.records[i].stop_reason);
      EXPECT_EQ(a.records[i].mask, b.records[i].mask);
      EXPECT_EQ(a.records[i].prefill_mask, b.records[i].prefill_mask);
    }
    EXPECT_EQ(a.raw_texts, b.raw_texts);
    EXPECT_EQ(a.tokens, b.tokens);
    ASSERT_EQ(a.confidences.size(), b.confidences.size());
    for (std::size_t i = 0; i < a.confidences.size(); ++i) {
      ASSERT_EQ(a.confidences[i].size(), b.confidences[i].size());
      for (std::size_t j = 0; j < a.confidences[i].size(); ++j) {
        EXPECT_EQ(a.confidences[i][j].largest_logit, b.confidences[i][j].largest_logit);
        EXPECT_EQ(a.confidences[i][j].largest_probability, b.confidences[i][j].largest_probability);
        EXPECT_EQ(a.confidences[i][j].negative_entropy, b.confidences[i][j].negative_entropy);
      }
    }
  }

  void expect_refused(const std::string& part) const {
    try {
      const StageStore store(path(), "model", "program");
      FAIL() << "expected an error";
    } catch (const UserError& error) {
      EXPECT_EQ(error.where(), path());
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }

  TemporaryFolder folder_;
  Question question_;
  Stage stage_;
  StageSettings settings_;
  std::vector<StageContext> contexts_;
};

TEST_F(StageStoreTest, GivesBackWhatWasStoredAlsoAfterItWasOpenedAnew) {
  {
    StageStore store(path(), "model", "program");
    EXPECT_FALSE(store.find(call()));
    store.store(call(), outcome());
    const auto found = store.find(call());
    ASSERT_TRUE(found);
    expect_equal(*found, outcome());
  }
  StageStore store(path(), "model", "program");
  const auto found = store.find(call());
  ASSERT_TRUE(found);
  expect_equal(*found, outcome());
}

TEST_F(StageStoreTest, EverythingThatShapesAnOutcomeIsPartOfItsKey) {
  StageStore store(path(), "model", "program");
  store.store(call(), outcome());
  const auto expect_unknown = [&](const char* what) {
    EXPECT_FALSE(store.find(call())) << what;
    settings_ = {};
    contexts_ = {{{1, 2, 3}, "A"}, {{1, 2, 4}, "B"}};
    stage_.name = "think";
    stage_.sampler = {};
    EXPECT_TRUE(store.find(call()));
  };
  settings_.decode.skip(Sublayer::ffn, 1);
  expect_unknown("decode mask");
  settings_.prefill.skip(Sublayer::ffn, 1);
  expect_unknown("prefill mask");
  settings_.decode.skip(Sublayer::ffn, 1, 1.25F);
  expect_unknown("scale");
  settings_.exit.threshold = 3;
  expect_unknown("exit rule");
  settings_.exit.rollback = false;
  expect_unknown("rollback");
  contexts_[0].tokens.back() = 9;
  expect_unknown("context");
  contexts_.pop_back();
  expect_unknown("branches");
  stage_.name = "other";
  expect_unknown("stage");
  stage_.sampler.temperature = 0.5F;
  expect_unknown("sampler");
  StageCall seeded = call();
  seeded.seed = 8;
  EXPECT_FALSE(store.find(seeded)) << "seed";
  StageCall later = call();
  later.history = "x";
  EXPECT_FALSE(store.find(later)) << "history";
  EXPECT_FALSE(StageStore(path(), "other model", "program").find(call()));
  EXPECT_FALSE(StageStore(path(), "model", "other program").find(call()));
  EXPECT_FALSE(StageStore(path(), "model", "program", "other flags").find(call()));
}

TEST_F(StageStoreTest, MeasurementsAreKeptByNameAndForgottenByTheirBeginning) {
  StageStore store(path(), "model", "program");
  StageStore other(path(), "model", "other program");
  store.store_measurement("time on a", {1.5, -2});
  store.store_measurement("time on b", {});
  store.store_measurement("damage", {0.25});
  other.store_measurement("time on a", {9});
  EXPECT_EQ(store.find_measurement("time on a"), (std::vector<double>{1.5, -2}));
  EXPECT_EQ(store.find_measurement("time on b"), std::vector<double>{});
  EXPECT_FALSE(store.find_measurement("time on"));
  store.store_measurement("time on a", {3});
  EXPECT_EQ(store.find_measurement("time on a"), std::vector<double>{3});
  store.forget_measurements("time on ");
  EXPECT_FALSE(store.find_measurement("time on a"));
  EXPECT_FALSE(store.find_measurement("time on b"));
  EXPECT_TRUE(store.find_measurement("damage"));
  EXPECT_TRUE(other.find_measurement("time on a"));
}

TEST_F(StageStoreTest, TwoSearchesMayShareAFile) {
  StageStore one(path(), "model", "program");
  StageStore two(path(), "model", "program");
  one.store(call(), outcome());
  EXPECT_TRUE(two.find(call()));
}

TEST_F(StageStoreTest, AFileThatIsNoStoreIsRefusedAndStaysAsItIs) {
  write_file(path(), "not a database, but a text that is long enough to look at its head\n");
  const auto size = std::filesystem::file_size(path());
  expect_refused("the memo fails");
  EXPECT_EQ(std::filesystem::file_size(path()), size);
}

TEST_F(StageStoreTest, AFolderThatIsMissingIsNamed) {
  try {
    const StageStore store((folder_ / "no" / "memo").string(), "model", "program");
    FAIL() << "expected an error";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("cannot be opened"), std::string::npos);
  }
}

}  // namespace
}  // namespace litestage::test
