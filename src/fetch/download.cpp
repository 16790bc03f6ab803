#include "fetch/download.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

#include "fetch/http_transfer.h"

namespace litestage::fetch {
namespace {

constexpr std::size_t MAX_TEXT = 16'000'000;

/// Waits before another attempt; false when stopped meanwhile.
bool pause(std::chrono::milliseconds delay, const std::function<bool()>& go_on) {
  constexpr std::chrono::milliseconds SLICE{50};
  const auto end = std::chrono::steady_clock::now() + delay;
  while (std::chrono::steady_clock::now() < end) {
    if (!go_on()) return false;
    std::this_thread::sleep_for(std::min(SLICE, delay));
  }
  return true;
}

std::chrono::milliseconds delay_before(int attempt, const DownloadPolicy& policy) {
  return policy.first_delay * (1 << std::min(attempt, 6));
}

/// One file coming by as many requests as it takes.
class FileDownload {
 public:
  FileDownload(const HttpRequest& request, PartFile& part, std::uint64_t expected,
               const ByteProgress& progress, const DownloadPolicy& policy)
      : request_(request), part_(part), total_(expected), progress_(progress), policy_(policy) {}

  TransferEnd run() {
    const bool is_too_long = total_ > 0 && part_.size() > total_;
    if (!part_.keep(is_too_long ? 0 : part_.size())) return TransferEnd::interrupted;
    std::uint64_t furthest = part_.size();
    for (int idle = 0;;) {
      if (total_ > 0 && part_.size() == total_) return TransferEnd::complete;
      switch (attempt()) {
        case HttpTransfer::Outcome::stopped:
          return TransferEnd::interrupted;
        case HttpTransfer::Outcome::whole:
          return TransferEnd::complete;
        case HttpTransfer::Outcome::failed:
          throw SourceFailure(reason_);
        case HttpTransfer::Outcome::lost:
          break;
      }
      // Only bytes never reached before count: a server that starts over each time must not keep
      // us.
      idle = part_.size() > furthest ? 1 : idle + 1;
      furthest = std::max(furthest, part_.size());
      if (idle >= policy_.attempts)
        throw SourceFailure(fmt::format("{} (after {} attempts)", reason_, policy_.attempts));
      if (!pause(delay_before(idle - 1, policy_), [this] { return report(); }))
        return TransferEnd::interrupted;
    }
  }

 private:
  bool report() const { return !progress_ || progress_(part_.size(), total_); }

  HttpTransfer::Outcome attempt() {
    const std::uint64_t offset = part_.size();
    HttpTransfer transfer(request_, offset, policy_.stall);
    bool first = true;
    auto outcome = transfer.run(
        [&](const ResponseHead& head, std::span<const std::byte> bytes) {
          if (first) begin(head, offset);
          first = false;
          if (total_ > 0 && part_.size() + bytes.size() > total_)
            throw SourceFailure(
                fmt::format("the server sends more than the {} bytes of this file", total_));
          part_.append(bytes);
          return report();
        },
        [this] { return report(); });
    reason_ = transfer.reason();
    if (transfer.head().status == 416 && offset > 0) return beyond_the_end(transfer.head(), offset);
    if (outcome != HttpTransfer::Outcome::whole) return outcome;
    if (total_ == 0) total_ = part_.size();
    if (part_.size() < total_) {
      reason_ = fmt::format("the connection ended after {} of {} bytes", part_.size(), total_);
      outcome = HttpTransfer::Outcome::lost;
    }
    return outcome;
  }

  /// Looks at what the server is about to send, before its first byte is written.
  void begin(const ResponseHead& head, std::uint64_t offset) {
    std::optional<std::uint64_t> total;
    if (head.status == 206) {
      if (!head.content_range || head.content_range->first != static_cast<std::int64_t>(offset))
        throw SourceFailure(
            fmt::format("the server sends another range than the one from {}", offset));
      if (head.content_range->total >= 0)
        total = static_cast<std::uint64_t>(head.content_range->total);
    } else {
      total = head.content_length;
      if (offset > 0) part_.keep(0);  // it ignores ranges and starts over, and so do we
    }
    if (total && total_ > 0 && *total != total_)
      throw SourceFailure(
          fmt::format("the server's file has {} bytes, and {} are expected", *total, total_));
    if (total && total_ == 0) total_ = *total;
    if (total_ > part_.size()) require_space(part_.target().parent_path(), total_ - part_.size());
  }

  /// Nothing comes after what we have: it is all there, or it is not this file.
  HttpTransfer::Outcome beyond_the_end(const ResponseHead& head, std::uint64_t offset) {
    if (head.content_range && head.content_range->total == static_cast<std::int64_t>(offset))
      return HttpTransfer::Outcome::whole;
    part_.keep(0);
    return HttpTransfer::Outcome::lost;
  }

  const HttpRequest& request_;
  PartFile& part_;
  std::uint64_t total_;
  const ByteProgress& progress_;
  const DownloadPolicy& policy_;
  std::string reason_;
};

}  // namespace

TransferEnd download(const HttpRequest& request, PartFile& part, std::uint64_t expected_bytes,
                     const ByteProgress& progress, const DownloadPolicy& policy) {
  return FileDownload(request, part, expected_bytes, progress, policy).run();
}

std::optional<std::string> get_text(const HttpRequest& request, const std::function<bool()>& go_on,
                                    const DownloadPolicy& policy) {
  for (int attempt = 1;; ++attempt) {
    std::string text;
    HttpTransfer transfer(request, 0, policy.stall);
    const auto outcome = transfer.run(
        [&](const ResponseHead&, std::span<const std::byte> bytes) {
          if (text.size() + bytes.size() > MAX_TEXT)
            throw SourceFailure("the server's answer is too long for a list of files");
          text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          return true;
        },
        go_on);
    if (outcome == HttpTransfer::Outcome::stopped) return {};
    if (outcome == HttpTransfer::Outcome::whole) return text;
    if (outcome != HttpTransfer::Outcome::lost || attempt >= policy.attempts)
      throw SourceFailure(transfer.reason());
    if (!pause(delay_before(attempt - 1, policy), go_on)) return {};
  }
}

std::string escape_path(const std::string& path) {
  std::string escaped;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string segment = path.substr(begin, end - begin);
    const std::unique_ptr<char, decltype(&curl_free)> text(
        curl_easy_escape(nullptr, segment.c_str(), static_cast<int>(segment.size())), &curl_free);
    escaped += text ? text.get() : segment;
    if (end < path.size()) escaped += '/';
    begin = end + 1;
  }
  return escaped;
}

}  // namespace litestage::fetch
