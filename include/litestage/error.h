#pragma once

#include <stdexcept>
#include <string>

namespace litestage {

/// The one exception for what a user can mend: a bad file, flag, question or program.
///
/// Its message is one sentence that says where, what and how to mend it. The program turns it into
/// exit code 2. Expected outcomes (no answer found, budget used up) are values instead, and bugs
/// assert.
class UserError : public std::runtime_error {
 public:
  /// @param where the file, flag, key or line at fault, e.g. "model.gguf" or "--mask"; may be empty
  /// @param what what is wrong there
  /// @param remedy what the user can do about it; may be empty
  UserError(std::string where, const std::string& what, std::string remedy = {});

  const std::string& where() const noexcept { return where_; }
  const std::string& remedy() const noexcept { return remedy_; }

 private:
  std::string where_;
  std::string remedy_;
};

}  // namespace litestage
