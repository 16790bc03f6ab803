// What the search thinks a stage reads is what the pipeline really reads.
#include "offline/fresh_tokens.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "litestage/pipeline.h"
#include "offline/stage_recorder.h"
#include "stage/conversation.h"
#include "support/calibration.h"

namespace litestage::test {
namespace {

struct TokensCase {
  std::string name;
  KvReuse reuse;
  std::vector<std::array<std::string, 3>> settings;  ///< stage, prefill mask, decode mask
};

std::vector<TokensCase> cases() {
  std::vector<TokensCase> cases;
  for (const KvReuse reuse : {KvReuse::exact, KvReuse::whole}) {
    const std::string name = std::string(to_string(reuse));
    cases.push_back({name + "Full", reuse, {}});
    cases.push_back({name + "Writing", reuse, {{"recall", "none", "f1"}}});
    cases.push_back({name + "Reading", reuse, {{"recall", "f1", "none"}}});
    cases.push_back({name + "Attention", reuse, {{"recall", "none", "a1"}}});
    cases.push_back({name + "Branches", reuse, {{"analyze", "f0", "a0,f0"}}});
    cases.push_back(
        {name + "AllOthers",
         reuse,
         {{"recall", "f1", "f1"}, {"analyze", "a1", "a1"}, {"answer", "f0-1", "f0-1"}}});
  }
  return cases;
}

class FreshTokens : public testing::TestWithParam<TokensCase> {};

TEST_P(FreshTokens, AreThoseThePipelineReads) {
  Calibration tiny;
  StageRecorder recorder;
  PipelineOptions options;
  options.kv_reuse = GetParam().reuse;
  options.memo = &recorder;
  const int layers = tiny.tiny.model()->layer_count();
  for (const auto& [stage, prefill, decode] : GetParam().settings) {
    options.stages[stage].prefill = SublayerMask::parse(prefill, layers);
    options.stages[stage].decode = SublayerMask::parse(decode, layers);
  }
  Pipeline pipeline(tiny.decoder, tiny.program, options);
  for (const Question& question : calibration_questions()) {
    const QuestionRecord record = pipeline.answer(question);
    const std::vector<Token> preamble =
        Conversation(tiny.program, tiny.tiny.model()->tokenizer()).preamble();
    const std::vector<int> fresh = fresh_tokens(recorder.take(), preamble, GetParam().reuse);
    ASSERT_EQ(fresh.size(), tiny.program.stages.size());
    for (std::size_t stage = 0; stage < fresh.size(); ++stage) {
      int read = 0;
      for (const StageRecord& of_stage : record.stages) {
        if (of_stage.name == tiny.program.stages[stage].name)
          read += of_stage.prompt_tokens - of_stage.reused_tokens;
      }
      EXPECT_EQ(fresh[stage], read) << tiny.program.stages[stage].name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, FreshTokens, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace litestage::test
