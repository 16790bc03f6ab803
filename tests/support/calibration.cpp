#include "support/calibration.h"

#include <cstddef>
#include <string>

namespace litestage::test {
namespace {

DecoderOptions roomy_decoder() {
  DecoderOptions options = small_decoder();
  options.context = 1024;
  // Flash attention sums batches of 64 tokens and more otherwise than smaller ones, and which ones
  // a pool makes depends on the clock.
  options.flash_attention = FlashAttention::off;
  return options;
}

}  // namespace

std::string_view calibration_program() {
  return R"(
name = "three"
format = "plain"
preamble = "Answer the question.\n"
[[stage]]
name = "recall"
prompt = "Q: {{question}}\n{{options}}\nRecall:"
max_tokens = 6
[[stage]]
name = "analyze"
for_each = "option"
prompt = "\nOption ({{option.letter}}):"
max_tokens = 5
[[stage]]
name = "answer"
prompt = "\n{{stage.analyze}}\nAnswer:"
output = "choice"
)";
}

std::string early_answer_program_text() {
  std::string toml(calibration_program());
  toml.insert(toml.find("[[stage]]"),
              "[early_answer]\nprompt = \"\\nQ: {{question}} Answer now:\"\n");
  return toml;
}

Program calibration_program_with_early_answer() {
  return parse_program(early_answer_program_text(), "three.toml");
}

std::vector<Question> calibration_questions() {
  return {{.id = "heavy",
           .text = "Which is heavier?",
           .options = letter_options({"a brick", "a leaf"}),
           .gold = "A",
           .program = ""},
          {.id = "warm",
           .text = "What is warm?",
           .options = letter_options({"snow", "the sun"}),
           .gold = "B",
           .program = ""}};
}

Calibration::Calibration(const TinyModel& model)
    : tiny(model),
      decoder(tiny.model(), roomy_decoder()),
      program(parse_program(calibration_program(), "program.toml")) {}

std::vector<StageTrace> record_traces(Calibration& tiny, const std::vector<Question>& questions,
                                      const TraceMemo& memo) {
  tiny.decoder.clear();
  std::vector<StageTrace> traces;
  {
    TraceRecorder recorder(tiny.decoder, tiny.program, memo);
    for (std::size_t i = 0; i < questions.size(); ++i) {
      const auto more = recorder.record(questions[i], static_cast<int>(i));
      traces.insert(traces.end(), more->begin(), more->end());
    }
  }
  tiny.decoder.clear();
  return traces;
}

}  // namespace litestage::test
