#include "stage/program_hash.h"

#include <fmt/format.h>

#include "base/sha256.h"

namespace litestage {
namespace {

/// Fields one after the other, each with its length in front, so that no two programs look the
/// same.
void add(std::string& bytes, std::string_view field) {
  fmt::format_to(std::back_inserter(bytes), "{}:{}", field.size(), field);
}

void add(std::string& bytes, int field) {
  add(bytes, std::to_string(field));
}

void add(std::string& bytes, float field) {
  add(bytes, fmt::format("{}", field));
}

void add(std::string& bytes, const Stage& stage) {
  add(bytes, stage.name);
  add(bytes, stage.prompt);
  add(bytes, stage.begin);
  add(bytes, static_cast<int>(stage.for_each_option));
  add(bytes, static_cast<int>(stage.stop.size()));
  for (const std::string& stop : stage.stop)
    add(bytes, stop);
  add(bytes, stage.max_tokens);
  add(bytes, stage.sampler.temperature);
  add(bytes, stage.sampler.top_k);
  add(bytes, stage.sampler.top_p);
  add(bytes, stage.sampler.min_p);
  add(bytes, stage.sampler.repeat_penalty);
  add(bytes, static_cast<int>(stage.output));
  add(bytes, static_cast<int>(stage.choice_by));
  add(bytes, stage.pattern);
}

}  // namespace

std::string program_hash(const Program& program) {
  std::string bytes;
  add(bytes, static_cast<int>(program.format));
  add(bytes, program.preamble);
  for (const Stage& stage : program.stages)
    add(bytes, stage);
  add(bytes, program.answer_stage);
  if (program.early_answer) {
    add(bytes, program.early_answer->prompt);
    add(bytes, program.early_answer->begin);
  }
  return sha256_hex(bytes);
}

}  // namespace litestage
