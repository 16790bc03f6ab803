#include "serve/http_session.h"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "litestage/version.h"
#include "serve/api_error.h"

namespace litestage::serve {
namespace {

namespace net = boost::asio;
namespace http = boost::beast::http;

constexpr std::size_t BUFFER_BYTES = 64U << 10;  // read ahead of what is asked, at most
constexpr std::size_t WATCHED_BYTES = 4096;
/// The lines of an answer up to its body.
/// @param length nothing: it is not known
std::string head_of(const Reply& reply, std::optional<std::size_t> length, bool chunked,
                    bool keep_alive, const std::string& allowed_origin) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(reply.status));
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nServer: litestage/{}\r\n", reply.status,
                                 std::string_view(reason), litestage_version());
  if (reply.status != NO_CONTENT) head += fmt::format("Content-Type: {}\r\n", reply.content_type);
  if (length && reply.status != NO_CONTENT) head += fmt::format("Content-Length: {}\r\n", *length);
  if (chunked) head += "Transfer-Encoding: chunked\r\n";
  for (const auto& [name, value] : reply.headers)
    head += fmt::format("{}: {}\r\n", name, value);
  if (!allowed_origin.empty())
    head += fmt::format("Access-Control-Allow-Origin: {}\r\nVary: Origin\r\n", allowed_origin);
  return head + fmt::format(
                    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                    "Connection: {}\r\n\r\n",
                    keep_alive ? "keep-alive" : "close");
}

/// The exchange that a session's current request is answered through.
class HttpExchange final : public Exchange {
 public:
  HttpExchange(std::weak_ptr<HttpSession> session, std::uint64_t number,
               std::shared_ptr<LiveExchanges> live)
      : session_(std::move(session)), number_(number), live_(std::move(live)) {
    live_->add(1);
  }
  ~HttpExchange() override { live_->add(-1); }
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

 private:
  void do_reply(Reply reply) override {
    if (const auto session = session_.lock())
      session->post_reply(number_, std::move(reply), allowed_origin);
  }
  void do_begin_events() override {
    if (const auto session = session_.lock()) session->post_begin_events(number_, allowed_origin);
  }
  void do_send(std::string bytes) override {
    if (const auto session = session_.lock()) session->post_send(number_, std::move(bytes));
  }
  void do_end_events() override {
    if (const auto session = session_.lock()) session->post_end_events(number_);
  }

  std::weak_ptr<HttpSession> session_;
  std::uint64_t number_;
  std::shared_ptr<LiveExchanges> live_;
};

}  // namespace

void LiveExchanges::add(int difference) {
  const std::scoped_lock lock(mutex_);
  count_ += difference;
  changed_.notify_all();
}

void LiveExchanges::wait_for_none() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return count_ == 0; });
}

HttpSession::HttpSession(net::ip::tcp::socket socket, SessionHost& host)
    : host_(host),
      stream_(std::move(socket)),
      buffer_(BUFFER_BYTES),
      timer_(stream_.get_executor()) {
  host_.sessions.insert(this);
  host_.api.connections.fetch_add(1);
}

void HttpSession::start() {
  boost::beast::error_code ignored;
  stream_.socket().set_option(net::ip::tcp::no_delay(true), ignored);
  read_request();
}

void HttpSession::read_request() {
  if (host_.shutting_down) return close_gently();
  ended_ = false;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(host_.options.header_bytes));
  parser_->body_limit(host_.options.body_bytes);
  stream_.expires_after(host_.options.read_time);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](ErrorCode error, std::size_t /*count*/) {
                            self->on_header(error);
                          });
}

void HttpSession::on_header(ErrorCode error) {
  if (closed_) return;
  if (error) return on_read_error(error);
  if (parser_->get()[http::field::expect] == "100-continue") put("HTTP/1.1 100 Continue\r\n\r\n");
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](ErrorCode failed, std::size_t /*count*/) {
                     self->on_request(failed);
                   });
}

void HttpSession::on_request(ErrorCode error) {
  if (closed_) return;
  if (error) return on_read_error(error);
  answer_request();
}

/// Answers what was too large or no HTTP; clients that went away or were too slow get nothing.
void HttpSession::on_read_error(ErrorCode error) {
  constexpr int TOO_LARGE = 413;
  constexpr int HEADER_TOO_LARGE = 431;
  if (error == http::error::body_limit) {
    return refuse(
        ApiError(TOO_LARGE, "invalid_request_error", "body_too_large",
                 fmt::format("the body is larger than {} bytes", host_.options.body_bytes)));
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return refuse(
        ApiError(HEADER_TOO_LARGE, "invalid_request_error", "header_too_large",
                 fmt::format("the header is larger than {} bytes", host_.options.header_bytes)));
  }
  const bool is_http =
      error.category() == http::make_error_code(http::error::bad_method).category();
  if (is_http && error != http::error::end_of_stream && error != http::error::partial_message)
    return refuse(bad_request("malformed_request", "this is no HTTP: " + error.message()));
  disconnect();
}

void HttpSession::refuse(const UserError& error) {
  keep_alive_ = false;
  head_only_ = false;
  ended_ = true;
  put_reply(host_.api.refuse(error), "");
}

void HttpSession::answer_request() {
  const Parser::value_type& message = parser_->get();
  const auto field = [&](http::field name) { return std::string(message[name]); };
  const std::string target(message.target());
  Request request;
  request.method = std::string(message.method_string());
  request.path = target.substr(0, target.find('?'));
  request.host = field(http::field::host);
  request.origin = field(http::field::origin);
  request.authorization = field(http::field::authorization);
  keep_alive_ = parser_->keep_alive();
  chunked_ = message.version() > 10;  // HTTP/1.0 knows no chunks
  head_only_ = request.method == "HEAD";
  request.body = std::move(parser_->get().body());
  parser_.reset();

  exchange_ = std::make_shared<HttpExchange>(weak_from_this(), ++number_, host_.live);
  timer_.expires_after(host_.options.answer_time);
  timer_.async_wait([self = shared_from_this(), number = number_](ErrorCode error) {
    if (!error && self->exchange_ && self->number_ == number) self->cancel(Cancellation::deadline);
  });
  watch();
  try {
    host_.api.handle(request, exchange_);
  } catch (const std::exception& error) {
    constexpr int BUG = 500;
    exchange_->fail(ApiError(BUG, "server_error", "internal_error",
                             std::string("internal error: ") + error.what()));
  }
}

/// Reads on while the request is answered: requests that came too early are kept, and the end of
/// the connection cancels the answer.
void HttpSession::watch() {
  if (watching_ || buffer_.size() + WATCHED_BYTES > BUFFER_BYTES) return;
  watching_ = true;
  stream_.expires_never();
  stream_.async_read_some(buffer_.prepare(WATCHED_BYTES),
                          [self = shared_from_this()](ErrorCode error, std::size_t count) {
                            self->on_watch(error, count);
                          });
}

void HttpSession::on_watch(ErrorCode error, std::size_t count) {
  watching_ = false;
  if (closed_) return;
  if (error && error != net::error::operation_aborted) return disconnect();
  if (draining_) return drain();
  buffer_.commit(count);
  if (exchange_) {
    watch();
  } else {
    read_request();  // the answer was written meanwhile
  }
}

/// Runs an action in the thread of the connections, if the exchange is still the current one.
template <typename Action>
void HttpSession::post(std::uint64_t exchange, Action action) {
  net::post(stream_.get_executor(),
            [self = shared_from_this(), exchange, action = std::move(action)]() mutable {
              const bool late = self->closed_ || !self->exchange_ || self->number_ != exchange;
              if (!late) action(*self);
            });
}

void HttpSession::post_reply(std::uint64_t exchange, Reply reply, std::string allowed_origin) {
  post(exchange, [reply = std::move(reply), origin = std::move(allowed_origin)](HttpSession& self) {
    self.ended_ = true;
    self.put_reply(reply, origin);
  });
}

void HttpSession::post_begin_events(std::uint64_t exchange, std::string allowed_origin) {
  post(exchange, [origin = std::move(allowed_origin)](HttpSession& self) {
    const Reply reply = {.content_type = "text/event-stream; charset=utf-8",
                         .headers = {{"X-Accel-Buffering", "no"}}};
    if (!self.chunked_) self.keep_alive_ = false;
    self.put(head_of(reply, std::nullopt, self.chunked_, self.keep_alive_, origin));
  });
}

void HttpSession::post_send(std::uint64_t exchange, std::string bytes) {
  post(exchange, [bytes = std::move(bytes)](HttpSession& self) mutable {
    if (self.unread_ > self.host_.options.unread_bytes) return self.disconnect();
    self.put(self.chunked_ ? fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes) : std::move(bytes));
  });
}

void HttpSession::post_end_events(std::uint64_t exchange) {
  post(exchange, [](HttpSession& self) {
    self.ended_ = true;
    self.put(self.chunked_ ? "0\r\n\r\n" : "");
  });
}

void HttpSession::put_reply(const Reply& reply, const std::string& allowed_origin) {
  keep_alive_ = keep_alive_ && !host_.shutting_down;
  std::string bytes = head_of(reply, reply.body.size(), false, keep_alive_, allowed_origin);
  if (!head_only_) bytes += reply.body;
  put(std::move(bytes));
}

void HttpSession::put(std::string bytes) {
  unread_ += bytes.size();
  output_.push_back(std::move(bytes));
  write_next();
}

void HttpSession::write_next() {
  if (writing_ || closed_) return;
  writing_ = true;
  stream_.expires_after(host_.options.write_time);
  net::async_write(stream_, net::buffer(output_.front()),
                   [self = shared_from_this()](ErrorCode error, std::size_t /*count*/) {
                     self->on_written(error);
                   });
}

void HttpSession::on_written(ErrorCode error) {
  writing_ = false;
  if (closed_) return;
  if (error) return disconnect();
  unread_ -= output_.front().size();
  output_.pop_front();
  if (!output_.empty()) return write_next();
  if (ended_) answered();
}

/// The answer is written: on to the next request, or to the end.
void HttpSession::answered() {
  exchange_.reset();
  timer_.cancel();
  if (!keep_alive_ || host_.shutting_down) return close_gently();
  if (watching_) {
    stream_.cancel();  // on_watch goes on
  } else {
    read_request();
  }
}

/// Closes so that the client gets all that was written: an end at once may throw away what it has
/// not read.
void HttpSession::close_gently() {
  constexpr auto LONGEST = std::chrono::seconds(2);
  draining_ = true;
  boost::beast::error_code ignored;
  stream_.socket().shutdown(net::ip::tcp::socket::shutdown_send, ignored);
  timer_.expires_after(LONGEST);
  timer_.async_wait([self = shared_from_this()](ErrorCode error) {
    if (!error) self->disconnect();
  });
  stream_.expires_never();
  if (!watching_) drain();
}

void HttpSession::drain() {
  constexpr std::size_t MOST = 16U << 20;
  if (drained_ > MOST) return disconnect();
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(BUFFER_BYTES),
                          [self = shared_from_this()](ErrorCode error, std::size_t count) {
                            if (self->closed_) return;
                            if (error) return self->disconnect();
                            self->drained_ += count;
                            self->drain();
                          });
}

void HttpSession::finish() {
  if (exchange_ || ended_) return;  // answered() and read_request() look at the host
  disconnect();
}

void HttpSession::cancel(Cancellation why) {
  const std::shared_ptr<Exchange> exchange = exchange_;
  if (exchange) exchange->cancel(why);
}

void HttpSession::disconnect() {
  if (closed_) return;
  closed_ = true;
  const std::shared_ptr<Exchange> exchange = std::move(exchange_);
  if (exchange) exchange->cancel(Cancellation::disconnected);
  timer_.cancel();
  stream_.close();
  host_.sessions.erase(this);
  host_.api.connections.fetch_sub(1);
  host_.on_closed();
}

}  // namespace litestage::serve
