#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "litestage/error.h"

namespace litestage::serve {

/// What the API needs to know of a request.
struct Request {
  std::string method;  ///< "GET", "POST", ...
  std::string path;    ///< without what follows a "?"
  std::string body;
  std::string host;    ///< these three as the headers give them; empty without one
  std::string origin;  ///< of the page a browser sends it for
  std::string authorization;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// The status of an answer without a body.
inline constexpr int NO_CONTENT = 204;

/// A whole answer.
struct Reply {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";
  HttpHeaders headers = {};
};

/// Why work on an answer is given up.
enum class Cancellation : std::uint8_t { none, disconnected, deadline, shutdown };

/// One request that is being answered: with one reply, or with a stream of server-sent events.
///
/// Answers may be given by any thread, one at a time; `cancel` and the setters belong to the thread
/// of the connections.
class Exchange {
 public:
  Exchange() = default;
  virtual ~Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Answers with this and nothing else.
  void reply(Reply reply);
  /// Opens a stream of events.
  void begin_events();
  /// @param name "" for none
  void send_event(std::string_view name, const nlohmann::ordered_json& data);
  /// A line of data that is no JSON.
  void send_data(std::string_view data);
  void end_events();
  /// Answers with an error: a reply or, in a stream, its last event.
  void fail(const UserError& error);

  /// Asks whoever works on the answer to stop. The first reason counts.
  void cancel(Cancellation why);
  const std::atomic<bool>& cancelled() const { return cancelled_; }
  Cancellation why() const { return why_.load(); }
  /// Throws the ApiError that tells of it.
  [[noreturn]] static void throw_cancelled(Cancellation why);

  /// Called once, with the status, when the answer begins.
  void on_status(std::function<void(int)> told) { told_status_ = std::move(told); }
  /// Called by `cancel`, until `release` takes it away.
  void on_cancel(std::function<void()> told) { told_cancelled_ = std::move(told); }

  /// The page's origin that may read the answer; empty: none. Goes into the headers.
  std::string allowed_origin;

 private:
  virtual void do_reply(Reply reply) = 0;
  virtual void do_begin_events() = 0;
  virtual void do_send(std::string bytes) = 0;
  virtual void do_end_events() = 0;
  void tell_status(int status);

  bool in_events_ = false;
  std::function<void(int)> told_status_;
  std::function<void()> told_cancelled_;
  std::atomic<bool> cancelled_{false};
  std::atomic<Cancellation> why_{Cancellation::none};
};

}  // namespace litestage::serve
