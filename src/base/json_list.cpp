#include "base/json_list.h"

#include <algorithm>
#include <utility>

#include "litestage/error.h"

namespace litestage {
namespace {

constexpr std::string_view BLANKS = " \t\r\n";

/// Walks once through a list and remembers where it is.
class ListSplitter {
 public:
  ListSplitter(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  std::vector<JsonElement> split() {
    std::vector<JsonElement> elements;
    skip_blanks();
    if (peek() != '[') fail("a list must begin with '['");
    step();
    skip_blanks();
    if (peek() == ']') return finish(std::move(elements));
    while (true) {
      elements.push_back(element());
      if (peek() == ']') return finish(std::move(elements));
      if (peek() != ',') fail("the list has no ']'");
      step();
      skip_blanks();
    }
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void step() {
    position_ = position_at(text_.substr(at_, 1), 1, position_);
    ++at_;
  }

  void skip_blanks() {
    while (at_ < text_.size() && BLANKS.find(text_[at_]) != std::string_view::npos)
      step();
  }

  /// One element, up to the comma or bracket of the list behind it.
  JsonElement element() {
    const std::size_t begin = at_;
    const TextPosition position = position_;
    int depth = 0;
    bool in_string = false;
    for (; at_ < text_.size(); step()) {
      const char c = text_[at_];
      if (in_string) {
        if (c == '\\') step();
        if (c == '"') in_string = false;
        continue;
      }
      if (depth == 0 && (c == ',' || c == ']')) break;
      if (c == '"') in_string = true;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
    }
    const std::string_view text = trimmed(text_.substr(begin, std::min(at_, text_.size()) - begin));
    if (text.empty()) fail("the list has an empty element");
    return {text, position};
  }

  std::vector<JsonElement> finish(std::vector<JsonElement> elements) {
    step();
    skip_blanks();
    if (at_ < text_.size()) fail("there is text behind the list's end");
    return elements;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw UserError(located(where_, position_), "no valid JSON: " + what);
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
  TextPosition position_;
};

}  // namespace

std::vector<JsonElement> split_json_list(std::string_view text, const std::string& where) {
  return ListSplitter(text, where).split();
}

std::vector<JsonElement> split_lines(std::string_view text) {
  std::vector<JsonElement> lines;
  std::size_t number = 1;
  for (std::size_t begin = 0; begin < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    const std::size_t indent = line.find_first_not_of(BLANKS);
    if (indent != std::string_view::npos) lines.push_back({trimmed(line), {number, indent + 1}});
    begin = end + 1;
  }
  return lines;
}

}  // namespace litestage
