#include "stage/pattern.h"

#include <algorithm>
#include <charconv>
#include <cstddef>

#include "base/text_file.h"

namespace litestage {
namespace {

constexpr std::size_t LONGEST_PATTERN = 200;         // bytes
constexpr std::size_t MOST_REPEATS = 50;             // product of all counts in braces
constexpr std::size_t LONGEST_SEARCHED_TEXT = 4096;  // bytes

/// By default libstdc++ matches by recursion, a few stack frames a character, and a text of some
/// kilobytes ends the program. Its other matcher's depth depends on the pattern alone, which is why
/// that is kept small, and its time on the square of the text, which is why that is too.
std::regex compile(const std::string& pattern) {
#ifdef __GLIBCXX__
  return std::regex(pattern, std::regex::ECMAScript | std::regex_constants::__polynomial);
#else
  return std::regex(pattern);
#endif
}

/// The product of the counts of all `{n}`, `{n,}` and `{m,n}`: how much larger they make a pattern.
std::size_t repeats(std::string_view pattern) {
  std::size_t product = 1;
  for (std::size_t open = pattern.find('{'); open != std::string_view::npos;
       open = pattern.find('{', open + 1)) {
    const std::string_view rest = pattern.substr(open + 1);
    std::string_view counts = rest.substr(0, rest.find('}'));
    if (const std::size_t comma = counts.find(','); comma + 1 < counts.size()) {
      counts.remove_prefix(comma == std::string_view::npos ? 0 : comma + 1);
    }
    std::size_t count = 1;
    const auto read = std::from_chars(counts.data(), counts.data() + counts.size(), count);
    if (read.ec == std::errc::result_out_of_range) count = MOST_REPEATS + 1;
    product *= std::clamp<std::size_t>(count, 1, MOST_REPEATS + 1);
    if (product > MOST_REPEATS) break;
  }
  return product;
}

}  // namespace

std::string pattern_fault(const std::string& pattern) {
  if (pattern.size() > LONGEST_PATTERN) {
    return "it is longer than " + std::to_string(LONGEST_PATTERN) + " bytes";
  }
  if (repeats(pattern) > MOST_REPEATS) {
    return "its counts in braces ask for more than " + std::to_string(MOST_REPEATS) + " repeats";
  }
  try {
    compile(pattern);
  } catch (const std::regex_error& error) {
    return error.what();
  }
  return {};
}

Pattern::Pattern(const std::string& pattern) : regex_(compile(pattern)) {}

std::string_view Pattern::first_match(std::string_view text) const {
  if (text.size() > LONGEST_SEARCHED_TEXT) text.remove_prefix(text.size() - LONGEST_SEARCHED_TEXT);
  std::cmatch match;
  if (!std::regex_search(text.data(), text.data() + text.size(), match, regex_)) return {};
  const std::csub_match& found = match[match.size() > 1 && match[1].matched ? 1 : 0];
  return trimmed({found.first, static_cast<std::size_t>(found.length())});
}

}  // namespace litestage
