#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "fetch/download.h"

namespace litestage::fetch {

/// `Content-Range: bytes FIRST-LAST/TOTAL`; a missing part of it is -1.
struct ContentRange {
  std::int64_t first = -1;
  std::int64_t total = -1;
};
std::optional<ContentRange> parse_content_range(std::string_view value);

/// What the server said before the body, of the last answer in a row of redirects.
struct ResponseHead {
  long status = 0;
  std::optional<std::uint64_t> content_length;
  std::optional<ContentRange> content_range;
};

/// One GET by libcurl.
class HttpTransfer {
 public:
  enum class Outcome : std::uint8_t {
    whole,    ///< the body came to its end
    lost,     ///< the connection broke, stalled or ended early: worth another attempt
    failed,   ///< another attempt would end the same way
    stopped,  ///< a callback said stop
  };

  HttpTransfer(const HttpRequest& request, std::uint64_t first_byte, std::chrono::seconds stall);
  ~HttpTransfer();

  /// @param on_body gets the body of answers below 300; false stops. What it throws is thrown on.
  /// @param on_tick called at least once a second; false stops
  Outcome run(std::function<bool(const ResponseHead&, std::span<const std::byte>)> on_body,
              std::function<bool()> on_tick);

  const ResponseHead& head() const;
  /// Why it was lost or failed.
  std::string reason() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace litestage::fetch
