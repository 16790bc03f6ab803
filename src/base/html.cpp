#include "base/html.h"

#include "base/utf8.h"

namespace litestage {

std::string html_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : displayable(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

}  // namespace litestage
