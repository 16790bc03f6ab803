#include "app/terminal.h"

#include <cstdlib>
#include <string_view>

#include <unistd.h>

namespace litestage::app {

bool may_colour(std::FILE* stream) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (no_color != nullptr && *no_color != '\0') return false;
  if (term == nullptr || std::string_view(term) == "dumb") return false;
  return isatty(fileno(stream)) != 0;
}

}  // namespace litestage::app
