#include "base/utf8.h"

#include <algorithm>
#include <array>

namespace litestage {
namespace {

/// What may follow a lead byte: how many bytes, and the range of the first of them. Restricting
/// that one byte is what rules out overlong forms, surrogates and code points past U+10FFFF.
struct Continuation {
  std::size_t count;
  unsigned char first_low;
  unsigned char first_high;
};

std::optional<Continuation> continuation_of(unsigned char lead) {
  if (lead >= 0xC2 && lead <= 0xDF) return Continuation{1, 0x80, 0xBF};
  if (lead == 0xE0) return Continuation{2, 0xA0, 0xBF};
  if (lead == 0xED) return Continuation{2, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return Continuation{2, 0x80, 0xBF};
  if (lead == 0xF0) return Continuation{3, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3) return Continuation{3, 0x80, 0xBF};
  if (lead == 0xF4) return Continuation{3, 0x80, 0x8F};
  return std::nullopt;
}

struct CodeRange {
  char32_t first;
  char32_t last;
};

/// Marks on the character before them, joiners and variation selectors (Unicode's categories Mn,
/// Me and Cf, as far as terminals agree on them).
constexpr std::array NO_COLUMN = {
    CodeRange{0x0300, 0x036F},   CodeRange{0x0483, 0x0489}, CodeRange{0x0591, 0x05BD},
    CodeRange{0x064B, 0x065F},   CodeRange{0x0900, 0x0902}, CodeRange{0x093C, 0x093C},
    CodeRange{0x0941, 0x0948},   CodeRange{0x094D, 0x094D}, CodeRange{0x0E31, 0x0E31},
    CodeRange{0x0E34, 0x0E3A},   CodeRange{0x0E47, 0x0E4E}, CodeRange{0x1AB0, 0x1AFF},
    CodeRange{0x1DC0, 0x1DFF},   CodeRange{0x200B, 0x200F}, CodeRange{0x20D0, 0x20F0},
    CodeRange{0xFE00, 0xFE0F},   CodeRange{0xFE20, 0xFE2F}, CodeRange{0xFEFF, 0xFEFF},
    CodeRange{0xE0100, 0xE01EF},
};

/// Unicode's East_Asian_Width W and F, in large blocks.
constexpr std::array TWO_COLUMNS = {
    CodeRange{0x1100, 0x115F},
    CodeRange{0x231A, 0x231B},
    CodeRange{0x23E9, 0x23EC},
    CodeRange{0x2705, 0x2705},
    CodeRange{0x274C, 0x274C},
    CodeRange{0x2753, 0x2755},
    CodeRange{0x2795, 0x2797},
    CodeRange{0x2B1B, 0x2B1C},
    CodeRange{0x2B50, 0x2B50},
    CodeRange{0x2E80, 0x303E},
    CodeRange{0x3041, 0x3247},
    CodeRange{0x3250, 0x4DBF},
    CodeRange{0x4E00, 0xA4CF},
    CodeRange{0xA960, 0xA97C},
    CodeRange{0xAC00, 0xD7A3},
    CodeRange{0xF900, 0xFAFF},
    CodeRange{0xFE30, 0xFE6B},
    CodeRange{0xFF01, 0xFF60},
    CodeRange{0xFFE0, 0xFFE6},
    CodeRange{0x1F300, 0x1F320},
    CodeRange{0x1F32D, 0x1F335},
    CodeRange{0x1F337, 0x1F37C},
    CodeRange{0x1F37E, 0x1F393},
    CodeRange{0x1F3A0, 0x1F3CA},
    CodeRange{0x1F3E0, 0x1F3F0},
    CodeRange{0x1F3F8, 0x1F4FC},
    CodeRange{0x1F4FF, 0x1F53D},
    CodeRange{0x1F550, 0x1F567},
    CodeRange{0x1F5FB, 0x1F64F},
    CodeRange{0x1F680, 0x1F6C5},
    CodeRange{0x1F7E0, 0x1F7EB},
    CodeRange{0x1F90C, 0x1F9FF},
    CodeRange{0x1FA70, 0x1FAFF},
    CodeRange{0x20000, 0x3FFFD},
    // Signs among others of one column.
    CodeRange{0x2329, 0x232A},
    CodeRange{0x23F0, 0x23F0},
    CodeRange{0x23F3, 0x23F3},
    CodeRange{0x25FD, 0x25FE},
    CodeRange{0x2614, 0x2615},
    CodeRange{0x2648, 0x2653},
    CodeRange{0x267F, 0x267F},
    CodeRange{0x2693, 0x2693},
    CodeRange{0x26A1, 0x26A1},
    CodeRange{0x26AA, 0x26AB},
    CodeRange{0x26BD, 0x26BE},
    CodeRange{0x26C4, 0x26C5},
    CodeRange{0x26CE, 0x26CE},
    CodeRange{0x26D4, 0x26D4},
    CodeRange{0x26EA, 0x26EA},
    CodeRange{0x26F2, 0x26F3},
    CodeRange{0x26F5, 0x26F5},
    CodeRange{0x26FA, 0x26FA},
    CodeRange{0x26FD, 0x26FD},
    CodeRange{0x270A, 0x270B},
    CodeRange{0x2728, 0x2728},
    CodeRange{0x274E, 0x274E},
    CodeRange{0x2757, 0x2757},
    CodeRange{0x27B0, 0x27B0},
    CodeRange{0x27BF, 0x27BF},
    CodeRange{0x2B55, 0x2B55},
    CodeRange{0x1F004, 0x1F004},
    CodeRange{0x1F0CF, 0x1F0CF},
    CodeRange{0x1F18E, 0x1F18E},
    CodeRange{0x1F191, 0x1F19A},
    CodeRange{0x1F200, 0x1F265},
    CodeRange{0x1F3CF, 0x1F3D3},
    CodeRange{0x1F3F4, 0x1F3F4},
    CodeRange{0x1F54B, 0x1F54E},
    CodeRange{0x1F57A, 0x1F57A},
    CodeRange{0x1F595, 0x1F596},
    CodeRange{0x1F5A4, 0x1F5A4},
    CodeRange{0x1F6CC, 0x1F6CC},
    CodeRange{0x1F6D0, 0x1F6D2},
    CodeRange{0x1F6D5, 0x1F6D7},
    CodeRange{0x1F6DC, 0x1F6DF},
    CodeRange{0x1F6EB, 0x1F6EC},
    CodeRange{0x1F6F4, 0x1F6FC},
    CodeRange{0x1F7F0, 0x1F7F0},
};

template <std::size_t SIZE>
bool lies_in(const std::array<CodeRange, SIZE>& ranges, char32_t code) {
  return std::ranges::any_of(
      ranges, [code](const CodeRange& range) { return code >= range.first && code <= range.last; });
}

/// One character of a text.
struct Shown {
  std::size_t bytes;
  std::size_t columns;
};

/// The character that a text, not empty, begins with.
Shown first_shown(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {1, 1};
  const std::optional<Continuation> follow = continuation_of(lead);
  if (!follow || text.size() <= follow->count) return {1, 1};
  char32_t code = lead & (0x3FU >> follow->count);
  for (std::size_t i = 1; i <= follow->count; ++i)
    code = code << 6U | (static_cast<unsigned char>(text[i]) & 0x3FU);
  const std::size_t bytes = follow->count + 1;
  if (invalid_utf8_at(text.substr(0, bytes))) return {1, 1};
  if (lies_in(NO_COLUMN, code)) return {bytes, 0};
  return {bytes, lies_in(TWO_COLUMNS, code) ? 2U : 1U};
}

}  // namespace

std::optional<std::size_t> invalid_utf8_at(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const std::optional<Continuation> follow = continuation_of(lead);
    if (!follow || text.size() - at <= follow->count) return at;
    for (std::size_t i = 1; i <= follow->count; ++i) {
      const auto byte = static_cast<unsigned char>(text[at + i]);
      const unsigned char low = i == 1 ? follow->first_low : 0x80;
      const unsigned char high = i == 1 ? follow->first_high : 0xBF;
      if (byte < low || byte > high) return at;
    }
    at += follow->count + 1;
  }
  return std::nullopt;
}

std::string displayable(std::string_view text) {
  std::string shown;
  while (const std::optional<std::size_t> bad = invalid_utf8_at(text)) {
    shown += displayable(text.substr(0, *bad));
    shown += "\uFFFD";
    text.remove_prefix(*bad + 1);
  }
  constexpr unsigned char DELETE = 0x7F;
  constexpr unsigned char C1_LEAD = 0xC2;  // U+0080 to U+009F are C2 80 to C2 9F
  constexpr unsigned char LAST_C1 = 0x9F;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_c1 = byte == C1_LEAD &&
                       static_cast<unsigned char>(text[i + 1]) <= LAST_C1;  // valid: it is there
    shown += byte < ' ' || byte == DELETE || is_c1 ? ' ' : text[i];
    if (is_c1) ++i;
  }
  return shown;
}

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Shown shown = first_shown(text);
    columns += shown.columns;
    text.remove_prefix(shown.bytes);
  }
  return columns;
}

std::string_view first_columns(std::string_view text, std::size_t columns) {
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const Shown shown = first_shown(text.substr(bytes));
    if (shown.columns > columns) break;
    columns -= shown.columns;
    bytes += shown.bytes;
  }
  return text.substr(0, bytes);
}

std::string_view last_columns(std::string_view text, std::size_t columns) {
  std::size_t width = display_width(text);
  if (width <= columns) return text;
  while (width > columns) {
    const Shown shown = first_shown(text);
    width -= shown.columns;
    text.remove_prefix(shown.bytes);
  }
  // A mark belongs to a character that is gone.
  while (!text.empty() && first_shown(text).columns == 0)
    text.remove_prefix(first_shown(text).bytes);
  return text;
}

}  // namespace litestage
