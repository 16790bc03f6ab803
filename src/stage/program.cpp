#include "litestage/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "base/text_file.h"
#include "litestage/error.h"
#include "stage/template.h"

namespace litestage {
namespace {

constexpr std::string_view EXTENSION = ".toml";

/// The folder of the shipped programs: where the user says, beside an installed program, where the
/// library was installed to, or in the source tree. Empty when none of them is there.
std::filesystem::path programs_folder() {
  if (const char* folder = std::getenv("LITESTAGE_PROGRAMS");
      folder != nullptr && *folder != '\0') {
    return folder;
  }
  std::error_code error;
  std::vector<std::filesystem::path> places;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) places.push_back(program.parent_path().parent_path() / "share/litestage/programs");
  places.emplace_back(LITESTAGE_INSTALLED_PROGRAMS);
  places.emplace_back(LITESTAGE_SOURCE_PROGRAMS);
  for (const std::filesystem::path& place : places) {
    if (std::filesystem::is_directory(place, error)) return place;
  }
  return {};
}

bool needs_options(std::string_view source) {
  bool found = false;
  check_template(source, [&](std::string_view name) {
    found = found || quotes_options(name);
    return std::string();
  });
  return found;
}

}  // namespace

const Stage* Program::find(std::string_view stage_name) const {
  const auto found = std::ranges::find(stages, stage_name, &Stage::name);
  return found == stages.end() ? nullptr : &*found;
}

std::vector<std::string> shipped_programs() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(programs_folder(), error)) {
    if (entry.path().extension() == EXTENSION) names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

Program load_program(const std::string& name_or_path) {
  std::filesystem::path path = name_or_path;
  const bool is_name = !path.has_parent_path() && path.extension() != EXTENSION;
  if (is_name) {
    const std::vector<std::string> names = shipped_programs();
    if (std::ranges::find(names, name_or_path) == names.end()) {
      throw UserError(name_or_path, "there is no such program",
                      names.empty() ? "set LITESTAGE_PROGRAMS to the folder of the shipped programs"
                                    : fmt::format("there are {}; or give the path of a .toml file",
                                                  fmt::join(names, ", ")));
    }
    path = programs_folder() / (name_or_path + std::string(EXTENSION));
  }
  return parse_program(read_text_file(path.string()), path.string(), path.parent_path());
}

std::string usual_program(const Question& question) {
  return question.options.empty() ? "plan-solve" : "recall-analyze-answer";
}

void check_fits(const Program& program, const Question& question, const std::string& where) {
  if (!question.options.empty()) return;
  for (const Stage& stage : program.stages) {
    const bool needs = stage.for_each_option || stage.output == OutputKind::choice ||
                       needs_options(stage.prompt) || needs_options(stage.begin);
    if (!needs) continue;
    throw UserError(where,
                    fmt::format("program '{}' needs options (stage '{}') and the question has none",
                                program.name, stage.name),
                    "give options or another program");
  }
}

}  // namespace litestage
