// What a program's stages read and write on a tiny random model, as the profile keeps it.
#include "offline/stage_trace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "support/calibration.h"

namespace litestage::test {
namespace {

TEST(StageTrace, HoldsWhatEveryStageReadAndWrote) {
  Calibration tiny;
  const std::vector<StageTrace> traces =
      record_traces(tiny.decoder, tiny.program, calibration_questions());
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
  const auto first = record_traces(tiny.decoder, tiny.program, calibration_questions());
  EXPECT_EQ(record_traces(tiny.decoder, tiny.program, calibration_questions()), first);
  // One by one, as a profile that goes on where it was does.
  TraceRecorder recorder(tiny.decoder, tiny.program);
  const auto second = recorder.record(calibration_questions()[1], 1, nullptr);
  ASSERT_TRUE(second);
  EXPECT_EQ(*second, std::vector<StageTrace>(first.begin() + 4, first.end()));
}

TEST(StageTrace, StopsWhenToldTo) {
  Calibration tiny;
  int asked = 0;
  EXPECT_TRUE(record_traces(tiny.decoder, tiny.program, calibration_questions(), [&](int, int) {
                return ++asked < 3;
              }).empty());
  EXPECT_EQ(asked, 3);
}

TEST(StageTrace, ReportsQuestionsDone) {
  Calibration tiny;
  std::vector<int> seen;
  record_traces(tiny.decoder, tiny.program, calibration_questions(), [&](int done, int all) {
    EXPECT_EQ(all, 2);
    seen.push_back(done);
    return true;
  });
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.front(), 0);
  EXPECT_EQ(seen.back(), 2);
}

TEST(StageTrace, AQuestionThatDoesNotFitIsRefused) {
  Calibration tiny;
  std::vector<Question> questions = calibration_questions();
  questions[1].options.clear();
  EXPECT_THROW(record_traces(tiny.decoder, tiny.program, questions), UserError);
}

}  // namespace
}  // namespace litestage::test
