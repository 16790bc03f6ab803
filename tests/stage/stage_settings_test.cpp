// Masks by phase, generation early exit, KV kept across masks and the memo, on a tiny random model.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "litestage/pipeline.h"
#include "stage/stage_memo.h"
#include "support/decoder_tools.h"
#include "support/two_stages.h"

namespace litestage::test {
namespace {

/// Keeps everything in memory and counts.
class Notebook : public StageMemo {
 public:
  std::optional<StageOutcome> find(const StageCall& call) override {
    const auto known = outcomes_.find(call_digest(call));
    if (known == outcomes_.end()) return std::nullopt;
    ++found;
    return known->second;
  }
  void store(const StageCall& call, const StageOutcome& outcome) override {
    ++stored;
    last[call.stage.name] = outcome;
    outcomes_[call_digest(call)] = outcome;
  }

  int found = 0;
  int stored = 0;
  std::map<std::string, StageOutcome> last;

 private:
  std::map<std::string, StageOutcome> outcomes_;
};

class StageSettingsTest : public testing::Test {
 protected:
  StageSettingsTest() : tiny_(TinyOptions{}), decoder_(tiny_.model(), decoder_options()) {}

  static DecoderOptions decoder_options() {
    DecoderOptions options = small_decoder();
    options.context = 512;
    return options;
  }

  SublayerMask mask(const char* text) const {
    return SublayerMask::parse(text, tiny_.model()->layer_count());
  }

  QuestionRecord ask(const PipelineOptions& options, const char* program = TWO_STAGES) {
    Decoder fresh(tiny_.model(), decoder_options());
    return ask(fresh, options, program);
  }

  static QuestionRecord ask(Decoder& decoder, const PipelineOptions& options,
                            const char* program = TWO_STAGES) {
    Pipeline pipeline(decoder, parse_program(program, "program.toml"), options);
    return pipeline.answer({.id = "q",
                            .text = "Which is heavier, a brick or a leaf?",
                            .options = {},
                            .gold = "",
                            .program = ""});
  }

  /// Options with one exit rule for the first stage.
  static PipelineOptions exits(const ExitRule& rule) {
    PipelineOptions options;
    options.stages["think"].exit = rule;
    return options;
  }

  LoadedTiny tiny_;
  Decoder decoder_;
};

TEST_F(StageSettingsTest, AThresholdThatIsNeverReachedChangesNoToken) {
  Notebook plain;
  PipelineOptions without;
  without.memo = &plain;
  ask(without);
  for (const auto kind : {ConfidenceKind::largest_logit, ConfidenceKind::largest_probability,
                          ConfidenceKind::negative_entropy}) {
    Notebook watched;
    PipelineOptions with = exits({.confidence = kind, .window = 1, .threshold = ExitRule::NEVER});
    with.memo = &watched;
    with.record_confidence = true;
    ask(with);
    EXPECT_EQ(watched.last["think"].tokens, plain.last["think"].tokens);
    EXPECT_EQ(watched.last["answer"].tokens, plain.last["answer"].tokens);
  }
}

TEST_F(StageSettingsTest, AThresholdAlwaysReachedEndsWhenTheWindowIsFull) {
  const QuestionRecord record = ask(exits({.window = 5, .threshold = 1e9, .rollback = false}));
  EXPECT_EQ(record.stages[0].tokens, 5);
  EXPECT_EQ(record.stages[0].stop_reason, StopReason::low_confidence);
  EXPECT_EQ(record.stages[1].stop_reason, StopReason::max_tokens) << "the other stage has no rule";
}

TEST_F(StageSettingsTest, ReplayOfRecordedConfidencesTellsWhereARuleStops) {
  Notebook notebook;
  PipelineOptions recording;
  recording.memo = &notebook;
  recording.record_confidence = true;
  ask(recording);
  const std::vector<Confidence> trace = notebook.last["think"].confidences.at(0);
  ASSERT_EQ(trace.size(), 40U);
  for (const auto kind : {ConfidenceKind::largest_logit, ConfidenceKind::largest_probability,
                          ConfidenceKind::negative_entropy}) {
    ExitRule rule{.confidence = kind, .window = 4, .threshold = 0};
    std::vector<double> means;
    for (std::size_t i = 3; i < trace.size(); ++i) {
      double sum = 0;
      for (std::size_t j = i - 3; j <= i; ++j)
        sum += trace[j].of(kind);
      means.push_back(sum / 4);
    }
    std::vector<double> sorted = means;
    std::sort(sorted.begin(), sorted.end());
    rule.threshold = sorted[2] + 1e-6;  // reached by three positions
    const auto first = std::find_if(means.begin(), means.end(),
                                    [&](double mean) { return mean <= rule.threshold; });
    const QuestionRecord record = ask(exits(rule));
    EXPECT_EQ(record.stages[0].tokens, first - means.begin() + 4) << to_string(kind);
    EXPECT_EQ(record.stages[0].stop_reason, StopReason::low_confidence);
  }
}

TEST_F(StageSettingsTest, ABudgetBelowTheStagesOwnIsNamed) {
  const QuestionRecord record = ask(exits({.max_tokens = 7}));
  EXPECT_EQ(record.stages[0].tokens, 7);
  EXPECT_EQ(record.stages[0].stop_reason, StopReason::budget);
  EXPECT_EQ(ask(exits({.max_tokens = 90})).stages[0].stop_reason, StopReason::max_tokens);
}

TEST_F(StageSettingsTest, ABudgetCutsBackToASentenceToo) {
  for (int budget = 1; budget < 40; ++budget) {
    const std::string whole = ask(exits({.rollback = false, .max_tokens = budget})).stages[0].text;
    EXPECT_EQ(ask(exits({.max_tokens = budget})).stages[0].text,
              whole.substr(0, last_sentence_end(whole)));
  }
}

TEST_F(StageSettingsTest, APatternThatMatchedForGoodEndsTheText) {
  constexpr const char* PROGRAM = R"(
name = "p"
format = "plain"
[[stage]]
name = "think"
prompt = "Q: {{question}}"
max_tokens = 60
output = "pattern"
pattern = '^\s*(\S\S)'
)";
  const QuestionRecord whole = ask(PipelineOptions{}, PROGRAM);
  ASSERT_EQ(whole.stages[0].tokens, 60);
  const QuestionRecord record = ask(exits({.answer_complete = true}), PROGRAM);
  EXPECT_EQ(record.stages[0].stop_reason, StopReason::answer_complete);
  EXPECT_LT(record.stages[0].tokens, 60);
  EXPECT_EQ(record.answer, whole.answer);
}

TEST_F(StageSettingsTest, ATextThatGoesInCirclesEnds) {
  constexpr const char* PROGRAM = R"(
name = "p"
format = "plain"
[[stage]]
name = "think"
prompt = "Q: {{question}}"
max_tokens = 400
)";
  Notebook notebook;
  // Without attention the next token depends on the last one alone: greedy text must come round.
  PipelineOptions options;
  const int last_layer = tiny_.model()->layer_count() - 1;
  options.stages["think"] =
      StageSettings::with_mask(mask(("a0-" + std::to_string(last_layer)).c_str()));
  options.stages["think"].exit.repetition = true;
  options.memo = &notebook;
  const QuestionRecord record = ask(options, PROGRAM);
  ASSERT_EQ(record.stages[0].stop_reason, StopReason::repetition);
  EXPECT_TRUE(goes_in_circles(notebook.last["think"].tokens.at(0)));
}

TEST_F(StageSettingsTest, ReadingAndWritingHaveTheirOwnMasks) {
  const QuestionRecord full = ask(PipelineOptions{});
  PipelineOptions writing;
  writing.stages["think"].decode = mask("f0,f1");
  PipelineOptions reading;
  reading.stages["think"].prefill = mask("f0,f1");
  PipelineOptions both;
  both.stages["think"] = StageSettings::with_mask(mask("f0,f1"));
  const std::vector<std::string> texts = {full.stages[0].text, ask(writing).stages[0].text,
                                          ask(reading).stages[0].text, ask(both).stages[0].text};
  for (std::size_t i = 0; i < texts.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_NE(texts[i], texts[j]) << i << " " << j;
  EXPECT_EQ(ask(writing).stages[0].mask, "f0-1");
  EXPECT_EQ(ask(writing).stages[0].prefill_mask, "none");
}

TEST_F(StageSettingsTest, AttentionLeftOutWhileReadingIsNeededWhileWriting) {
  PipelineOptions options;
  options.stages["think"].prefill = mask("a1");
  try {
    ask(options);
    FAIL() << "expected an error";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "stage think");
  }
}

TEST_F(StageSettingsTest, KvWrittenUnderOtherFfnsIsReadAgainOrUsed) {
  PipelineOptions options;
  options.stages["think"].decode = mask("f1");
  const QuestionRecord exact = ask(options);
  options.kv_reuse = KvReuse::whole;
  const QuestionRecord whole = ask(options);
  EXPECT_EQ(exact.stages[0].text, whole.stages[0].text);
  EXPECT_EQ(exact.stages[1].reused_tokens, exact.stages[0].prompt_tokens)
      << "the text was written under another mask";
  EXPECT_EQ(whole.stages[1].reused_tokens, whole.stages[0].prompt_tokens + 39)
      << "all of the text but the token sampled last";
}

TEST_F(StageSettingsTest, KvWithoutALayerThatIsNeededIsReadAgain) {
  PipelineOptions options;
  options.stages["think"].decode = mask("a1");
  options.kv_reuse = KvReuse::whole;
  const QuestionRecord record = ask(options);
  EXPECT_EQ(record.stages[1].reused_tokens, record.stages[0].prompt_tokens);
}

TEST_F(StageSettingsTest, AnEqualCallIsRememberedAndOthersAreNot) {
  Notebook notebook;
  PipelineOptions options;
  options.memo = &notebook;
  const QuestionRecord first = ask(options);
  EXPECT_EQ(notebook.stored, 2);
  const QuestionRecord second = ask(options);
  EXPECT_EQ(notebook.stored, 2);
  EXPECT_TRUE(second.stages[0].remembered && second.stages[1].remembered);
  EXPECT_EQ(first.answer, second.answer);
  options.stages["answer"].decode = mask("f1");
  const QuestionRecord third = ask(options);
  EXPECT_TRUE(third.stages[0].remembered);
  EXPECT_FALSE(third.stages[1].remembered);
  EXPECT_EQ(notebook.stored, 3);
}

TEST_F(StageSettingsTest, ARememberedStageLeavesTheCacheAsIfItHadBeenRun) {
  for (const KvReuse reuse : {KvReuse::exact, KvReuse::whole}) {
    PipelineOptions options;
    options.kv_reuse = reuse;
    options.stages["think"].decode = mask("f0-1");
    const QuestionRecord directly = ask(options);
    Notebook notebook;
    PipelineOptions other = options;
    other.memo = &notebook;
    other.stages["answer"].exit.max_tokens = 1;
    ask(other);  // the first stage gets known
    options.memo = &notebook;
    const QuestionRecord resumed = ask(options);
    ASSERT_TRUE(resumed.stages[0].remembered);
    ASSERT_FALSE(resumed.stages[1].remembered);
    EXPECT_EQ(resumed.stages[1].text, directly.stages[1].text);
  }
}

TEST_F(StageSettingsTest, UnderOtherMasksEachStageTheContextNeedOnlyHoldOneOfThem) {
  constexpr const char* PROGRAM = R"(
name = "long"
format = "plain"
[[stage]]
name = "one"
prompt = "Q: {{question}}"
max_tokens = 150
[[stage]]
name = "two"
prompt = "\nand:"
max_tokens = 100
)";
  PipelineOptions options;
  options.stages["two"] = StageSettings::with_mask(mask("a1"));
  const QuestionRecord roomy = ask(options, PROGRAM);
  DecoderOptions tight = decoder_options();
  tight.context = roomy.stages[1].prompt_tokens + 100;
  Decoder decoder(tiny_.model(), tight);
  const QuestionRecord record = ask(decoder, options, PROGRAM);
  EXPECT_EQ(record.stages[1].text, roomy.stages[1].text);
}

}  // namespace
}  // namespace litestage::test
