#include "stage/numbers.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

#include "base/text_file.h"

namespace litestage {
namespace {

/// A number found in a text: bytes [begin, end), sign and currency in front included.
struct FoundNumber {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string decimal;
};

constexpr std::array<std::string_view, 4> CURRENCIES = {"$", "\u20AC", "\u00A3", "\u00A5"};
constexpr std::array<std::string_view, 3> MINUS_SIGNS = {"-", "\u2212", "\u2013"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

char char_at(std::string_view text, std::size_t at) {
  return at < text.size() ? text[at] : '\0';
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (is_digit(char_at(text, at)))
    ++at;
  return at;
}

double to_double(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// End of the whole part, thousands included; `digits` gets it without the commas.
std::size_t read_whole(std::string_view text, std::size_t at, std::string& digits) {
  std::size_t end = skip_digits(text, at);
  digits = text.substr(at, end - at);
  if (end - at > 3) return end;
  while (char_at(text, end) == ',' && skip_digits(text, end + 1) == end + 4) {
    digits += text.substr(end + 1, 3);
    end += 4;
  }
  return end;
}

/// "007" is "7", "1.50" is "1.5", "2.0" is "2".
std::string plain_decimal(std::string_view whole, std::string_view fraction) {
  while (whole.size() > 1 && whole.front() == '0')
    whole.remove_prefix(1);
  while (!fraction.empty() && fraction.back() == '0')
    fraction.remove_suffix(1);
  std::string text(whole.empty() ? "0" : whole);
  if (!fraction.empty()) text.append(".").append(fraction);
  return text;
}

/// A fraction "a/b" whose slash stands at `at`; moves `at` behind it.
std::optional<double> read_fraction(std::string_view text, std::size_t& at, double numerator) {
  if (char_at(text, at) != '/') return std::nullopt;
  const std::size_t end = skip_digits(text, at + 1);
  const double denominator = to_double(text.substr(at + 1, end - at - 1));
  // A second slash makes it a date, a further word a unit or a path.
  if (denominator == 0 || char_at(text, end) == '/' || is_word_character(char_at(text, end))) {
    return std::nullopt;
  }
  at = end;
  return numerator / denominator;
}

/// "1/2" behind the whole part of "2 1/2"; moves `at` behind it.
std::optional<double> read_mixed(std::string_view text, std::size_t& at) {
  if (char_at(text, at) != ' ' || !is_digit(char_at(text, at + 1))) return std::nullopt;
  std::size_t end = skip_digits(text, at + 1);
  const double numerator = to_double(text.substr(at + 1, end - at - 1));
  const std::optional<double> part = read_fraction(text, end, numerator);
  if (!part || *part >= 1) return std::nullopt;
  at = end;
  return part;
}

std::size_t skip_exponent(std::string_view text, std::size_t at) {
  if ((char_at(text, at) | 32) != 'e') return at;
  const char sign = char_at(text, at + 1);
  const std::size_t digits = at + (sign == '+' || sign == '-' ? 2 : 1);
  const std::size_t end = skip_digits(text, digits);
  return end == digits || is_word_character(char_at(text, end)) ? at : end;
}

/// The unsigned number whose first digit, or decimal point, stands at `at`.
FoundNumber read_unsigned(std::string_view text, std::size_t at) {
  std::string digits;
  FoundNumber found{at, read_whole(text, at, digits), {}};
  std::string_view decimals;
  if (char_at(text, found.end) == '.' && is_digit(char_at(text, found.end + 1))) {
    const std::size_t end = skip_digits(text, found.end + 1);
    decimals = text.substr(found.end + 1, end - found.end - 1);
    found.end = end;
  }
  found.decimal = plain_decimal(digits, decimals);
  if (const std::size_t end = skip_exponent(text, found.end); end != found.end) {
    const double value =
        to_double(found.decimal + std::string(text.substr(found.end, end - found.end)));
    found.end = end;
    found.decimal = fmt::format("{:.15g}", value);
  } else if (decimals.empty() && (at == 0 || text[at - 1] != '/')) {
    const double whole = to_double(found.decimal);
    if (const auto fraction = read_fraction(text, found.end, whole)) {
      found.decimal = fmt::format("{:.10g}", *fraction);
    } else if (const auto part = read_mixed(text, found.end)) {
      found.decimal = fmt::format("{:.10g}", whole + *part);
    }
  }
  return found;
}

/// Length of what stands directly before `at`, when that is one of `marks`; else 0.
template <std::size_t N>
std::size_t mark_before(std::string_view text, std::size_t at,
                        const std::array<std::string_view, N>& marks) {
  for (const std::string_view mark : marks) {
    if (text.substr(0, at).ends_with(mark)) return mark.size();
  }
  return 0;
}

/// Takes in the currency and the sign in front, in either order. A dash behind a word or a bracket
/// joins ("5-10", "pages 3-4") and is no sign.
void add_sign(std::string_view text, FoundNumber& number) {
  number.begin -= mark_before(text, number.begin, CURRENCIES);
  const std::size_t dash = mark_before(text, number.begin, MINUS_SIGNS);
  if (dash == 0) return;
  const std::size_t at = number.begin - dash;
  if (at > 0 && (is_word_character(text[at - 1]) || text[at - 1] == ')')) return;
  number.begin = at - mark_before(text, at, CURRENCIES);
  if (number.decimal != "0") number.decimal.insert(0, "-");
}

std::optional<FoundNumber> next_number(std::string_view text, std::size_t from) {
  for (std::size_t at = from; at < text.size(); ++at) {
    const char before = at > 0 ? text[at - 1] : ' ';
    const bool point =
        text[at] == '.' && is_digit(char_at(text, at + 1)) && !is_word_character(before);
    if (!is_digit(text[at]) && !point) continue;
    if (!point && is_word_character(before)) continue;  // inside a word
    FoundNumber number = read_unsigned(text, at);
    add_sign(text, number);
    return number;
  }
  return std::nullopt;
}

}  // namespace

std::string last_number(std::string_view text) {
  std::string last;
  std::size_t at = 0;
  while (const std::optional<FoundNumber> number = next_number(text, at)) {
    last = number->decimal;
    at = number->end;
  }
  return last;
}

std::optional<double> number_value(std::string_view text) {
  text = trimmed(text);
  const std::optional<FoundNumber> number = next_number(text, 0);
  if (!number || number->begin != 0) return std::nullopt;
  const std::string_view rest = trimmed(text.substr(number->end));
  if (!rest.empty() && rest != "%" && rest != ".") return std::nullopt;
  return to_double(number->decimal);
}

}  // namespace litestage
