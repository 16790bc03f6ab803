#include "stage/text_stream.h"

#include <algorithm>

namespace litestage {
namespace {

/// Bytes at the end of `text` that may be the beginning of `stop`.
std::size_t held_back(std::string_view text, std::string_view stop) {
  for (std::size_t length = std::min(text.size(), stop.size() - 1); length > 0; --length) {
    if (text.ends_with(stop.substr(0, length))) return length;
  }
  return 0;
}

/// Bytes at the end of `text` that begin a UTF-8 character without ending it.
std::size_t incomplete_character(std::string_view text) {
  constexpr std::size_t LONGEST = 4;
  for (std::size_t back = 1; back <= std::min(LONGEST, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0U) == 0x80U) continue;  // inside a character
    const std::size_t length = byte >= 0xF0U ? 4 : byte >= 0xE0U ? 3 : byte >= 0xC0U ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

}  // namespace

std::string_view TextStream::add(std::string_view bytes) {
  if (stopped_) return {};
  text_ += bytes;
  std::size_t cut = std::string::npos;
  std::size_t held = incomplete_character(text_);
  for (const std::string& stop : stop_) {
    if (stop.empty()) continue;
    // A stop string may have begun before these bytes, but not before what was shown.
    cut = std::min(cut, text_.find(stop, shown_));
    held = std::max(held, held_back(std::string_view(text_).substr(shown_), stop));
  }
  if (cut != std::string::npos) {
    stopped_ = true;
    text_.resize(cut);
    return show_until(cut);
  }
  return show_until(text_.size() - held);
}

std::string_view TextStream::finish() {
  return show_until(text_.size() - incomplete_character(text_));
}

std::string_view TextStream::show_until(std::size_t end) {
  if (end <= shown_) return {};
  const std::string_view piece = std::string_view(text_).substr(shown_, end - shown_);
  shown_ = end;
  return piece;
}

}  // namespace litestage
