#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "serve/http_server.h"

namespace litestage::serve {

class HttpSession;

/// Counts the exchanges that somebody may still answer.
class LiveExchanges {
 public:
  void add(int difference);
  void wait_for_none();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// What the sessions of a server share; belongs to the thread of the connections.
struct SessionHost {
  HttpOptions options;
  Api& api;
  std::shared_ptr<LiveExchanges> live = std::make_shared<LiveExchanges>();
  std::set<HttpSession*> sessions = {};
  bool shutting_down = false;
  std::function<void()> on_closed = {};  ///< a session is gone
};

/// One connection: reads a request, has it answered, writes the answer, and so on. While it is
/// answered the connection is read on, to see whether the client is still there.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(boost::asio::ip::tcp::socket socket, SessionHost& host);
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void start();
  /// Answers with an error, whatever is asked, and closes.
  void refuse(const UserError& error);
  /// Closes when the answer at hand is written, or now.
  void finish();
  /// Cancels the answer at hand.
  void cancel(Cancellation why);
  /// Closes at once.
  void disconnect();

  // From an exchange's thread, for the exchange of that number; later ones come too late.
  void post_reply(std::uint64_t exchange, Reply reply, std::string allowed_origin);
  void post_begin_events(std::uint64_t exchange, std::string allowed_origin);
  void post_send(std::uint64_t exchange, std::string bytes);
  void post_end_events(std::uint64_t exchange);

 private:
  using ErrorCode = boost::beast::error_code;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void read_request();
  void on_header(ErrorCode error);
  void on_request(ErrorCode error);
  void on_read_error(ErrorCode error);
  void answer_request();
  void watch();
  void on_watch(ErrorCode error, std::size_t count);
  template <typename Action>
  void post(std::uint64_t exchange, Action action);
  void put(std::string bytes);
  void put_reply(const Reply& reply, const std::string& allowed_origin);
  void write_next();
  void on_written(ErrorCode error);
  void answered();
  void close_gently();
  void drain();

  SessionHost& host_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  boost::asio::steady_timer timer_;  // of the answer, then of the closing
  std::optional<Parser> parser_;
  std::shared_ptr<Exchange> exchange_;
  std::uint64_t number_ = 0;  // of the exchange
  std::deque<std::string> output_;
  std::size_t unread_ = 0;  // bytes of output_
  bool keep_alive_ = false;
  bool head_only_ = false;  // the answer has no body
  bool chunked_ = true;
  bool writing_ = false;
  bool watching_ = false;
  bool ended_ = false;  // the answer is complete, maybe not written
  bool draining_ = false;
  bool closed_ = false;
  std::size_t drained_ = 0;
};

}  // namespace litestage::serve
