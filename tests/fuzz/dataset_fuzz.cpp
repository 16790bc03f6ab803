#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "litestage/dataset.h"
#include "litestage/error.h"
#include "litestage/program.h"

/// Any bytes are questions that can be asked or one UserError; any text has a value or none.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace litestage;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Stage stage;
  Question fruit;
  fruit.options = letter_options({"a pear", "an apple"});
  for (const OutputKind kind : {OutputKind::choice, OutputKind::number, OutputKind::text}) {
    stage.output = kind;
    is_correct(fruit, read_value(stage, fruit, text));
  }
  try {
    for (const Question& question : parse_questions(text, "fuzz")) {
      check_question(question, "fuzz", DoubledOptions::allow);
      if (!question.gold.empty() && !is_correct(question, question.gold)) std::abort();
    }
  } catch (const UserError&) {
    return 0;
  }
  return 0;
}
