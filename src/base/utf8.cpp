#include "base/utf8.h"

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

}  // namespace litestage
