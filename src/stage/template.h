#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/program.h"

namespace litestage {

/// A stretch of a template: plain text, or the name inside `{{` and `}}` without blanks.
struct TemplatePiece {
  std::string_view text;
  bool is_variable = false;
  std::size_t index = 0;  ///< of a variable: how many `{{` stand before it
};

/// What is wrong with a template.
struct TemplateFault {
  std::size_t index = 0;  ///< of the `{{` at fault
  std::string what;
};

/// Calls for the pieces in order. A `{{` that is never closed is a fault, and so is what `fault_of`
/// answers for a variable's name; the first one ends the walk.
std::optional<TemplateFault> check_template(
    std::string_view source, const std::function<std::string(std::string_view name)>& fault_of);

/// A template with each variable replaced by what `value_of` gives for its name. Values are put in
/// as they are: a `{{` inside one is text.
std::string fill_template(std::string_view source,
                          const std::function<std::string(std::string_view name)>& value_of);

/// The options, "(A) text" each, with `separator` between them.
std::string list_options(const std::vector<Option>& options, std::string_view separator);

/// NAME of a variable `stage.NAME`; empty for any other variable.
std::string_view quoted_stage(std::string_view variable);

/// Whether a variable quotes the question's options, or one of them.
bool quotes_options(std::string_view variable);

/// The beginning of a prompt as far as it quotes the question and all of its options; empty where
/// it does not quote both, or something else before.
std::string_view question_part(std::string_view prompt);

/// Whether a variable has a value only in a for_each branch.
bool quotes_one_option(std::string_view variable);

/// Whether a variable of a stage's prompt or begin exists at all; stage names are not looked at.
bool is_variable(std::string_view variable);

}  // namespace litestage
