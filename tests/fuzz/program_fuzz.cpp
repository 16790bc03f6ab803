#include <cstddef>
#include <cstdint>
#include <string_view>

#include "litestage/error.h"
#include "litestage/program.h"

/// Any bytes are a program or one UserError; a program that was read can be rendered and read back.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace litestage;
  Program program;
  try {
    program = parse_program({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const UserError&) {
    return 0;
  }
  Question question;
  question.text = "Which {{of}} these 3?";
  question.options = letter_options({"one", "two"});
  check_fits(program, question, "fuzz");
  TemplateValues values;
  values.question = &question;
  for (const Stage& stage : program.stages) {
    values.option = stage.for_each_option ? &question.options[1] : nullptr;
    const std::string text =
        render_template(stage.prompt, values) + render_template(stage.begin, values);
    read_value(stage, question, std::string_view(text).substr(0, 64));
    values.stages.emplace_back(stage.name, "text");
  }
  return 0;
}
