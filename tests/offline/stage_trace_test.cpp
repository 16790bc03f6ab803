// What a program's stages read and write on a tiny random model, as the profile keeps it.
#include "offline/stage_trace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "offline/stage_store.h"
#include "support/calibration.h"
#include "support/learned_preview.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

TEST(StageTrace, HoldsWhatEveryStageReadAndWrote) {
  Calibration tiny;
  const std::vector<StageTrace> traces = record_traces(tiny, calibration_questions());
  // recall, two branches of analyze, answer; for two questions.
  ASSERT_EQ(traces.size(), 8U);
  const std::vector<std::string> stages = {"recall", "analyze", "analyze", "answer"};
  for (std::size_t i = 0; i < traces.size(); ++i) {
    EXPECT_EQ(traces[i].stage, stages[i % 4]);
    EXPECT_EQ(traces[i].question, static_cast<int>(i / 4));
    EXPECT_GT(traces[i].fresh, 0);
    EXPECT_LE(traces[i].fresh, static_cast<int>(traces[i].context.size()));
    EXPECT_EQ(traces[i].text.empty(), traces[i].stage == "answer") << "a choice writes nothing";
  }
  // What a stage wrote stands in the next one's context.
  const auto starts_with = [](const std::vector<Token>& text, const std::vector<Token>& start) {
    return text.size() >= start.size() && std::equal(start.begin(), start.end(), text.begin());
  };
  EXPECT_TRUE(starts_with(traces[1].context, traces[0].context));
  // The preamble is read before any question: it is fresh for none.
  const auto shared = std::mismatch(traces[0].context.begin(), traces[0].context.end(),
                                    traces[4].context.begin(), traces[4].context.end());
  EXPECT_GT(shared.first - traces[0].context.begin(), 5);
  EXPECT_LT(traces[0].fresh, static_cast<int>(traces[0].context.size()) - 5);
  EXPECT_EQ(traces[0].fresh + static_cast<int>(traces[4].context.size()) - traces[4].fresh,
            static_cast<int>(traces[0].context.size()));
  EXPECT_EQ(tiny.decoder.sequences().size(), 0U);
}

TEST(StageTrace, TheSameQuestionsGiveTheSameTraces) {
  Calibration tiny;
  const auto first = record_traces(tiny, calibration_questions());
  EXPECT_EQ(record_traces(tiny, calibration_questions()), first);
  // One by one, as a profile that goes on where it was does.
  TraceRecorder recorder(tiny.decoder, tiny.program);
  const auto second = recorder.record(calibration_questions()[1], 1, nullptr);
  ASSERT_TRUE(second);
  EXPECT_EQ(*second, std::vector<StageTrace>(first.begin() + 4, first.end()));
}

TEST(StageTrace, StopsWhenToldTo) {
  Calibration tiny;
  TraceRecorder recorder(tiny.decoder, tiny.program);
  std::atomic<bool> stop{true};
  EXPECT_FALSE(recorder.record(calibration_questions()[0], 0, &stop));
  stop = false;
  const auto traces = recorder.record(calibration_questions()[0], 0, &stop);
  ASSERT_TRUE(traces);
  EXPECT_EQ(traces->size(), 4U) << "what was stopped left something behind";
}

/// A memo that counts the stages that were computed.
class CountingMemo : public StageMemo {
 public:
  explicit CountingMemo(const std::string& path) : store_(path, "model", "program") {}

  std::optional<StageOutcome> find(const StageCall& call) override { return store_.find(call); }
  void store(const StageCall& call, const StageOutcome& outcome) override {
    ++computed;
    store_.store(call, outcome);
  }

  int computed = 0;

 private:
  StageStore store_;
};

TEST(StageTrace, WhatAMemoHoldsIsNotComputedAgain) {
  const TemporaryFolder folder;
  Calibration tiny;
  const auto without = record_traces(tiny, calibration_questions());
  for (const KvReuse reuse : {KvReuse::exact, KvReuse::whole}) {
    CountingMemo memo(folder / (std::string(to_string(reuse)) + ".memo"));
    EXPECT_EQ(record_traces(tiny, {calibration_questions()[1]}, {&memo, reuse}).size(), 4U);
    EXPECT_EQ(memo.computed, 3) << "stages";
    // Another order, and half of it is known.
    EXPECT_EQ(record_traces(tiny, calibration_questions(), {&memo, reuse}), without);
    EXPECT_EQ(memo.computed, 6);
    EXPECT_EQ(record_traces(tiny, calibration_questions(), {&memo, reuse}), without);
    EXPECT_EQ(memo.computed, 6);
  }
}

TEST(StageTrace, APreviewOfTheHeadHasNoSay) {
  const TemporaryFolder folder;
  Calibration tiny;
  const auto without = record_traces(tiny, calibration_questions());
  give_preview(tiny, folder / "tiny.head.gguf");
  EXPECT_EQ(record_traces(tiny, calibration_questions()), without);
  EXPECT_EQ(tiny.decoder.head_statistics().previewed, 0);
}

TEST(StageTrace, AQuestionThatDoesNotFitIsRefused) {
  Calibration tiny;
  std::vector<Question> questions = calibration_questions();
  questions[1].options.clear();
  EXPECT_THROW(record_traces(tiny, questions), UserError);
}

}  // namespace
}  // namespace litestage::test
