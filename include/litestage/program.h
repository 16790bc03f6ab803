#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/question.h"
#include "litestage/sampler.h"

namespace litestage {

/// How stages are joined: turns of a chat in the model's own template, or one growing plain text.
enum class ProgramFormat { chat, plain };

/// What a stage's text is read as.
enum class OutputKind {
  text,     ///< itself
  choice,   ///< one of the question's option letters
  number,   ///< the last number in the text
  pattern,  ///< what the stage's regular expression captures
};

/// How a choice is made.
enum class ChoiceBy {
  logits,   ///< the option letter whose token is likeliest: one prefill, no text
  grammar,  ///< written under a grammar that admits the letters alone
};

/// One stage. Its prompt is a template whose text is added to what stands before it.
struct Stage {
  std::string name;
  std::string
      prompt;         ///< `{{question}}`, `{{options}}`, `{{option.letter}}`, `{{stage.NAME}}`, ...
  std::string begin;  ///< given opening of the answer, written for the model; a template too
  bool for_each_option = false;   ///< one branch an option, all decoded in one batch
  std::vector<std::string> stop;  ///< the text ends before the first of these
  int max_tokens = 128;
  SamplerOptions sampler;
  OutputKind output = OutputKind::text;
  ChoiceBy choice_by = ChoiceBy::logits;
  std::string pattern;  ///< ECMAScript; the first group, or else the whole match, is the value
};

/// How the model is asked for its choice before all stages are done.
struct EarlyAnswer {
  std::string prompt;  ///< may quote the question and its options
  std::string begin;   ///< given opening of the answer
};

/// A reasoning program: stages in order, and the text before them all.
///
/// In the plain format the context is `preamble`, demonstrations, then for each stage its prompt
/// and its text. In the chat format `preamble` is the system message and each stage is one user
/// turn and the assistant's reply. A for_each stage's branches all start from the context before
/// it; after it the context goes on without them, and later prompts quote them through
/// `{{stage.NAME}}`.
struct Program {
  std::string name;
  std::string description;
  ProgramFormat format = ProgramFormat::chat;
  std::string
      preamble;  ///< with the demonstrations already rendered into it (plain) or after it (chat)
  std::vector<Stage> stages;
  std::optional<EarlyAnswer> early_answer;  ///< where the answer is one of the options
  std::string answer_stage;  ///< the stage whose value is the answer; the last one unless named
  std::string hash;          ///< sha256 of everything that shapes the prompts

  const Stage* find(std::string_view stage_name) const;
};

/// Reads a program: a path, or the name of a shipped one ("tinythinker", "recall-analyze-answer",
/// ...).
/// @throws UserError with file, line and column for unknown keys or variables, a stage that quotes
/// itself or a later one, stages nobody reads, and wrong values
Program load_program(const std::string& name_or_path);

/// The same from text; `where` names it in errors and relative paths start at `folder`.
Program parse_program(std::string_view toml, const std::string& where,
                      const std::filesystem::path& folder = {});

/// Names of the shipped programs, and the folder that holds them ($LITESTAGE_PROGRAMS, the
/// installed folder, or the source tree).
std::vector<std::string> shipped_programs();

/// The shipped program for a question whose set names none.
std::string usual_program(const Question& question);

/// @throws UserError when the program quotes options and the question has none
void check_fits(const Program& program, const Question& question, const std::string& where);

/// What templates may quote while a question is worked on.
struct TemplateValues {
  const Question* question = nullptr;
  const Option* option = nullptr;  ///< in a for_each branch
  /// Texts of the stages done so far; for a for_each stage one text an option, joined with the
  /// letters.
  std::vector<std::pair<std::string, std::string>> stages;
};

/// Puts values into a template that load_program has checked.
std::string render_template(std::string_view source, const TemplateValues& values);

/// How a for_each stage's texts are quoted by later stages: a line "(A) text" each.
std::string join_branches(const std::vector<Option>& options,
                          const std::vector<std::string>& texts);

/// The value of a stage's text under its output kind; empty when there is none.
std::string read_value(const Stage& stage, const Question& question, std::string_view text);

}  // namespace litestage
