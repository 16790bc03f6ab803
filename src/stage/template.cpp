#include "stage/template.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "base/text_file.h"

namespace litestage {
namespace {

constexpr std::string_view OPEN = "{{";
constexpr std::string_view CLOSE = "}}";
constexpr std::string_view STAGE_PREFIX = "stage.";
constexpr std::array<std::string_view, 5> QUESTION_VARIABLES = {
    "question", "options", "options.inline", "option.letter", "option.text"};

/// The pieces up to the end, or up to a `{{` that is not closed, whose index is then given.
std::optional<std::size_t> split(std::string_view source, std::vector<TemplatePiece>& pieces) {
  std::size_t at = 0;
  for (std::size_t index = 0;; ++index) {
    const std::size_t open = source.find(OPEN, at);
    if (open != at) pieces.push_back({source.substr(at, open - at)});
    if (open == std::string_view::npos) return std::nullopt;
    const std::size_t name = open + OPEN.size();
    const std::size_t close = source.find(CLOSE, name);
    const std::string_view inside = source.substr(name, close - name);
    if (close == std::string_view::npos || inside.find(OPEN) != std::string_view::npos)
      return index;
    pieces.push_back({trimmed(inside), true, index});
    at = close + CLOSE.size();
  }
}

std::string value_of(std::string_view name, const TemplateValues& values) {
  if (const std::string_view stage = quoted_stage(name); !stage.empty()) {
    for (const auto& [stage_name, text] : values.stages) {
      if (stage_name == stage) return text;
    }
    assert(false && "a stage is quoted before it is done");
    return {};
  }
  if (quotes_one_option(name)) {
    assert(values.option != nullptr && "an option is quoted outside a branch");
    if (values.option == nullptr) return {};
    return name == "option.letter" ? values.option->letter : values.option->text;
  }
  assert(values.question != nullptr);
  if (values.question == nullptr) return {};
  if (name == "options") return list_options(values.question->options, "\n");
  if (name == "options.inline") return list_options(values.question->options, " ");
  return values.question->text;
}

}  // namespace

std::optional<TemplateFault> check_template(
    std::string_view source, const std::function<std::string(std::string_view name)>& fault_of) {
  std::vector<TemplatePiece> pieces;
  const std::optional<std::size_t> unclosed = split(source, pieces);
  for (const TemplatePiece& piece : pieces) {
    if (!piece.is_variable) continue;
    if (std::string what = fault_of(piece.text); !what.empty())
      return TemplateFault{piece.index, what};
  }
  if (unclosed) return TemplateFault{*unclosed, "'{{' without its '}}'"};
  return std::nullopt;
}

std::string fill_template(std::string_view source,
                          const std::function<std::string(std::string_view name)>& value_of) {
  std::vector<TemplatePiece> pieces;
  split(source, pieces);
  std::string text;
  for (const TemplatePiece& piece : pieces) {
    if (piece.is_variable) {
      text += value_of(piece.text);
    } else {
      text += piece.text;
    }
  }
  return text;
}

std::string render_template(std::string_view source, const TemplateValues& values) {
  return fill_template(source, [&](std::string_view name) { return value_of(name, values); });
}

std::string list_options(const std::vector<Option>& options, std::string_view separator) {
  std::string text;
  for (const Option& option : options) {
    if (!text.empty()) text += separator;
    text.append("(").append(option.letter).append(") ").append(option.text);
  }
  return text;
}

std::string join_branches(const std::vector<Option>& options,
                          const std::vector<std::string>& texts) {
  assert(options.size() == texts.size());
  std::vector<Option> lines;
  for (std::size_t i = 0; i < std::min(options.size(), texts.size()); ++i) {
    std::string line;
    for (const char c : trimmed(texts[i])) {
      const bool is_blank = c == '\n' || c == '\r' || c == ' ';
      if (!is_blank) {
        line += c;
      } else if (!line.ends_with(' ')) {
        line += ' ';
      }
    }
    lines.push_back({options[i].letter, line});
  }
  return list_options(lines, "\n");
}

std::string_view quoted_stage(std::string_view variable) {
  return variable.starts_with(STAGE_PREFIX) ? variable.substr(STAGE_PREFIX.size())
                                            : std::string_view();
}

std::string_view question_part(std::string_view prompt) {
  std::vector<TemplatePiece> pieces;
  split(prompt, pieces);
  bool question = false;
  bool options = false;
  for (const TemplatePiece& piece : pieces) {
    if (!piece.is_variable) continue;
    if (quotes_one_option(piece.text) || !quoted_stage(piece.text).empty()) break;
    (quotes_options(piece.text) ? options : question) = true;
    if (!question || !options) continue;
    const auto begin = static_cast<std::size_t>(piece.text.data() - prompt.data());
    return prompt.substr(0, prompt.find(CLOSE, begin) + CLOSE.size());
  }
  return {};
}

bool quotes_options(std::string_view variable) {
  return variable.starts_with("option");
}

bool quotes_one_option(std::string_view variable) {
  return variable.starts_with("option.");
}

bool is_variable(std::string_view variable) {
  return std::ranges::find(QUESTION_VARIABLES, variable) != QUESTION_VARIABLES.end() ||
         !quoted_stage(variable).empty();
}

}  // namespace litestage
