#include "serve/exchange.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/stage_json.h"
#include "serve/api_error.h"

namespace litestage::serve {

void Exchange::tell_status(int status) {
  if (told_status_) told_status_(status);
}

void Exchange::reply(Reply reply) {
  tell_status(reply.status);
  do_reply(std::move(reply));
}

void Exchange::begin_events() {
  constexpr int FINE = 200;
  in_events_ = true;
  tell_status(FINE);
  do_begin_events();
}

void Exchange::send_event(std::string_view name, const nlohmann::ordered_json& data) {
  do_send((name.empty() ? std::string() : fmt::format("event: {}\n", name)) +
          fmt::format("data: {}\n\n", json_line(data)));
}

void Exchange::send_data(std::string_view data) {
  do_send(fmt::format("data: {}\n\n", data));
}

void Exchange::end_events() {
  do_end_events();
}

void Exchange::fail(const UserError& error) {
  if (!in_events_) return reply(error_reply(error));
  send_event("error", error_json(error));
  end_events();
}

void Exchange::cancel(Cancellation why) {
  if (cancelled_.load()) return;
  why_.store(why);
  cancelled_.store(true);
  if (told_cancelled_) told_cancelled_();
}

void Exchange::throw_cancelled(Cancellation why) {
  constexpr int TIMEOUT = 504;
  switch (why) {
    case Cancellation::deadline:
      throw ApiError(TIMEOUT, "timeout_error", "request_timeout",
                     "the answer took longer than the server allows");
    case Cancellation::shutdown:
      throw try_later("shutting_down", "the server is shutting down");
    case Cancellation::disconnected:
    case Cancellation::none:
      break;
  }
  throw try_later("cancelled", "the request was given up");
}

}  // namespace litestage::serve
