// A choice by logits reads its letters' logits alone, and is the choice that all logits give.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "litestage/decoder_pool.h"
#include "litestage/pipeline.h"
#include "stage/choice.h"
#include "stage/stage_memo.h"
#include "support/calibration.h"
#include "support/pool_tools.h"

namespace litestage::test {
namespace {

/// What the options' letters have among themselves, from all logits.
std::vector<double> chances_of_letters(const Tokenizer& tokenizer, const Question& question,
                                       std::span<const float> logits) {
  std::vector<double> chances;
  for (const Option& option : question.options) {
    double best = -std::numeric_limits<double>::infinity();
    for (const std::string& text : {option.letter, " " + option.letter}) {
      const auto token = static_cast<std::size_t>(tokenizer.encode(text, false, false).back());
      best = std::max<double>(best, logits[token]);
    }
    chances.push_back(std::exp(best));
  }
  double sum = 0;
  for (const double chance : chances)
    sum += chance;
  for (double& chance : chances)
    chance /= sum;
  return chances;
}

/// Computes every choice's context anew, with the whole head, and compares.
class ChoiceWatcher : public StageMemo {
 public:
  explicit ChoiceWatcher(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

  std::optional<StageOutcome> find(const StageCall&) override { return std::nullopt; }
  void store(const StageCall& call, const StageOutcome& outcome) override {
    if (writes_text(call.stage)) return;
    ++choices;
    Decoder decoder(model_, exact_decoder(1024));
    for (std::size_t i = 0; i < call.contexts.size(); ++i) {
      const ForwardResult whole =
          decoder.forward(static_cast<SequenceId>(i), call.contexts[i].tokens);
      const std::vector<double> expected =
          chances_of_letters(model_->tokenizer(), call.question, whole.logits);
      const std::vector<double>& chances = outcome.option_probabilities.at(i);
      ASSERT_EQ(chances.size(), expected.size());
      for (std::size_t option = 0; option < expected.size(); ++option)
        EXPECT_NEAR(chances[option], expected[option], 1e-4);
      const auto best = std::ranges::max_element(expected) - expected.begin();
      EXPECT_EQ(outcome.records[i].text,
                call.question.options[static_cast<std::size_t>(best)].letter);
      ASSERT_TRUE(outcome.records[i].margin);
      EXPECT_NEAR(*outcome.records[i].margin, lead(expected), 1e-4);
    }
  }

  int choices = 0;

 private:
  std::shared_ptr<const Model> model_;
};

/// An early answer before the first stage and behind it, and a last stage that chooses.
PipelineOptions looking_early(StageMemo& watcher) {
  PipelineOptions options;
  options.early = {1, 0, true};
  options.memo = &watcher;
  return options;
}

TEST(Choice, IsTheOneThatAllLogitsGive) {
  const LoadedTiny tiny(TinyOptions{});
  Decoder decoder(tiny.model(), exact_decoder(1024));
  for (const bool records : {false, true}) {
    ChoiceWatcher watcher(tiny.model());
    PipelineOptions options = looking_early(watcher);
    options.record_confidence = records;
    Pipeline pipeline(decoder, calibration_program_with_early_answer(), options);
    for (const Question& question : calibration_questions())
      pipeline.answer(question);
    EXPECT_EQ(watcher.choices, 2 * 3);
  }
}

TEST(Choice, IsTheOneThatAllLogitsGiveBesideOthersThatWrite) {
  const LoadedTiny tiny(TinyOptions{.context = 4096});
  DecoderPool pool(tiny.model(), exact_decoder(4096));
  on_threads(4, [&](int i) {
    ChoiceWatcher watcher(tiny.model());
    Decoder client = pool.client();
    Pipeline pipeline(client, calibration_program_with_early_answer(), looking_early(watcher));
    pipeline.answer(calibration_questions()[static_cast<std::size_t>(i % 2)]);
    EXPECT_EQ(watcher.choices, 3);
  });
}

TEST(Choice, NeedsNoHeadInTheGraph) {
  const LoadedTiny tiny(TinyOptions{});
  Decoder decoder(tiny.model(), exact_decoder(1024));
  decoder.forward(0, std::vector<Token>{1, 2, 3});
  const int whole = decoder.graph_statistics().nodes;
  decoder.clear();
  Pipeline pipeline(decoder, parse_program(std::string(calibration_program()), "program.toml"));
  const QuestionRecord record = pipeline.answer(calibration_questions()[0]);
  ASSERT_EQ(record.stages.back().stop_reason, StopReason::choice);
  EXPECT_EQ(decoder.graph_statistics().nodes, whole - 1) << "the product with the head";
}

}  // namespace
}  // namespace litestage::test
