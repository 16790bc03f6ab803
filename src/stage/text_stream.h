#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace litestage {

/// Text that arrives in pieces: gives out whole characters only, and nothing that may turn out to
/// be the beginning of a stop string.
class TextStream {
 public:
  explicit TextStream(std::vector<std::string> stop) : stop_(std::move(stop)) {}

  /// Makes room for a text of so many bytes; longer ones take more.
  void reserve(std::size_t bytes) { text_.reserve(bytes); }
  /// Adds bytes. Returns what can be shown now; it stays valid until the next call.
  std::string_view add(std::string_view bytes);
  /// No more bytes come: what was held back and can be shown.
  std::string_view finish();

  /// Whether a stop string has come; the text ends before it.
  bool stopped() const { return stopped_; }
  const std::string& text() const { return text_; }

 private:
  std::string_view show_until(std::size_t end);

  std::vector<std::string> stop_;
  std::string text_;
  std::size_t shown_ = 0;
  bool stopped_ = false;
};

}  // namespace litestage
