#include "fetch/http_transfer.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <exception>
#include <mutex>
#include <new>
#include <utility>

namespace litestage::fetch {
namespace {

constexpr long CONNECT_SECONDS = 15;
constexpr long SLOWEST_BYTES_PER_SECOND = 1000;
constexpr long MAX_REDIRECTS = 8;

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && blank(text.back()))
    text.remove_suffix(1);
  return text;
}

template <typename Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

bool is_worth_another_attempt(CURLcode code) {
  switch (code) {
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::optional<ContentRange> parse_content_range(std::string_view value) {
  constexpr std::string_view UNIT = "bytes ";
  value = trim(value);
  if (!value.starts_with(UNIT)) return {};
  value.remove_prefix(UNIT.size());
  const auto slash = value.find('/');
  if (slash == std::string_view::npos) return {};
  ContentRange range;
  const std::string_view span = value.substr(0, slash);
  const std::string_view total = value.substr(slash + 1);
  if (span != "*") {
    const auto first = number<std::int64_t>(span.substr(0, span.find('-')));
    if (!first || *first < 0) return {};
    range.first = *first;
  }
  if (total != "*") {
    const auto bytes = number<std::int64_t>(total);
    if (!bytes || *bytes < 0) return {};
    range.total = *bytes;
  }
  return range;
}

struct HttpTransfer::Impl {
  CURL* curl = nullptr;
  std::string range;
  std::array<char, CURL_ERROR_SIZE> message{};
  ResponseHead head;
  CURLcode code = CURLE_OK;
  std::function<bool(const ResponseHead&, std::span<const std::byte>)> on_body;
  std::function<bool()> on_tick;
  std::exception_ptr thrown;
  bool stopped = false;

  // An exception must not cross libcurl's C frames: it is kept and thrown on after the transfer.
  template <typename Call>
  bool guarded(Call call) {
    try {
      stopped = stopped || !call();
    } catch (...) {
      thrown = std::current_exception();
      stopped = true;
    }
    return !stopped;
  }

  static std::size_t body(char* data, std::size_t, std::size_t size, void* self_pointer) {
    auto& self = *static_cast<Impl*>(self_pointer);
    if (self.head.status >= 300) return size;
    const bool go_on = self.guarded(
        [&] { return self.on_body(self.head, std::as_bytes(std::span<const char>(data, size))); });
    return go_on ? size : CURL_WRITEFUNC_ERROR;
  }

  static int tick(void* self_pointer, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& self = *static_cast<Impl*>(self_pointer);
    return self.guarded([&] { return !self.on_tick || self.on_tick(); }) ? 0 : 1;
  }

  static std::size_t header(char* data, std::size_t, std::size_t size, void* self_pointer) {
    auto& self = *static_cast<Impl*>(self_pointer);
    self.guarded([&] {
      self.read_header(std::string_view(data, size));
      return true;
    });
    return size;
  }

  void read_header(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      head = {};
      const auto blank = line.find(' ');
      if (blank != std::string_view::npos)
        head.status = number<long>(line.substr(blank + 1, 3)).value_or(0);
      return;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    const std::string_view value = trim(line.substr(colon + 1));
    if (name == "content-length") head.content_length = number<std::uint64_t>(value);
    if (name == "content-range") head.content_range = parse_content_range(value);
  }

  template <typename Value>
  void set(CURLoption option, Value value) {
    if (curl_easy_setopt(curl, option, value) != CURLE_OK)
      throw std::runtime_error(fmt::format("libcurl refuses option {}", static_cast<int>(option)));
  }
};

HttpTransfer::HttpTransfer(const HttpRequest& request, std::uint64_t first_byte,
                           std::chrono::seconds stall)
    : impl_(std::make_unique<Impl>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  auto& impl = *impl_;
  impl.curl = curl_easy_init();
  if (impl.curl == nullptr) throw std::bad_alloc();
  const bool secure = request.url.starts_with("https:");
  impl.set(CURLOPT_URL, request.url.c_str());
  impl.set(CURLOPT_PROTOCOLS_STR, "http,https");
  // A redirect must not take a download that began encrypted into the open.
  impl.set(CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  impl.set(CURLOPT_FOLLOWLOCATION, 1L);
  impl.set(CURLOPT_MAXREDIRS, MAX_REDIRECTS);
  impl.set(CURLOPT_NOSIGNAL, 1L);
  impl.set(CURLOPT_USERAGENT, "litestage");
  impl.set(CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
  impl.set(CURLOPT_LOW_SPEED_LIMIT, SLOWEST_BYTES_PER_SECOND);
  impl.set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(stall.count()));
  impl.set(CURLOPT_ERRORBUFFER, impl.message.data());
  if (!request.bearer_token.empty()) {
    // Given this way, and not as a header of our own, libcurl keeps the token from other hosts.
    impl.set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
    impl.set(CURLOPT_XOAUTH2_BEARER, request.bearer_token.c_str());
  }
  if (first_byte > 0) {
    impl.range = fmt::format("{}-", first_byte);
    impl.set(CURLOPT_RANGE, impl.range.c_str());
  }
}

HttpTransfer::~HttpTransfer() {
  curl_easy_cleanup(impl_->curl);
}

HttpTransfer::Outcome HttpTransfer::run(
    std::function<bool(const ResponseHead&, std::span<const std::byte>)> on_body,
    std::function<bool()> on_tick) {
  auto& impl = *impl_;
  impl.on_body = std::move(on_body);
  impl.on_tick = std::move(on_tick);
  impl.set(CURLOPT_WRITEFUNCTION, &Impl::body);
  impl.set(CURLOPT_WRITEDATA, &impl);
  impl.set(CURLOPT_HEADERFUNCTION, &Impl::header);
  impl.set(CURLOPT_HEADERDATA, &impl);
  impl.set(CURLOPT_XFERINFOFUNCTION, &Impl::tick);
  impl.set(CURLOPT_XFERINFODATA, &impl);
  impl.set(CURLOPT_NOPROGRESS, 0L);
  impl.code = curl_easy_perform(impl.curl);
  if (impl.thrown) std::rethrow_exception(impl.thrown);
  if (impl.stopped) return Outcome::stopped;
  if (impl.code != CURLE_OK)
    return is_worth_another_attempt(impl.code) ? Outcome::lost : Outcome::failed;
  const long status = impl.head.status;
  if (status == 429 || status >= 500) return Outcome::lost;
  return status == 200 || status == 206 ? Outcome::whole : Outcome::failed;
}

const ResponseHead& HttpTransfer::head() const {
  return impl_->head;
}

std::string HttpTransfer::reason() const {
  const auto& impl = *impl_;
  if (impl.code != CURLE_OK)
    return impl.message[0] != '\0' ? impl.message.data() : curl_easy_strerror(impl.code);
  const long status = impl.head.status;
  if (status == 401 || status == 403)
    return fmt::format("access was refused (HTTP {}): the model may need a token in HF_TOKEN",
                       status);
  if (status == 404) return "not found (HTTP 404)";
  return fmt::format("the server answered HTTP {}", status);
}

}  // namespace litestage::fetch
