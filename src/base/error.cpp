#include "litestage/error.h"

#include <utility>

namespace litestage {
namespace {

std::string sentence(const std::string& where, const std::string& what, const std::string& remedy) {
  std::string text = where.empty() ? what : where + ": " + what;
  if (!remedy.empty()) text += "; " + remedy;
  return text;
}

}  // namespace

UserError::UserError(std::string where, const std::string& what, std::string remedy)
    : std::runtime_error(sentence(where, what, remedy)),
      where_(std::move(where)),
      remedy_(std::move(remedy)) {}

}  // namespace litestage
