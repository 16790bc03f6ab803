#include "serve/service.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <string_view>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "serve/api_error.h"

namespace litestage::serve {

nlohmann::ordered_json Usage::json() const {
  return {{"prompt_tokens", prompt},
          {"completion_tokens", completion},
          {"total_tokens", prompt + completion},
          {"prompt_tokens_details", {{"cached_tokens", cached}}},
          {"completion_tokens_details", {{"reasoning_tokens", reasoning}}}};
}

std::string new_id(const std::string& prefix) {
  constexpr std::string_view LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr int LENGTH = 24;
  thread_local std::mt19937_64 random{std::random_device()()};
  std::uniform_int_distribution<std::size_t> pick(0, LETTERS.size() - 1);
  std::string id = prefix;
  for (int i = 0; i < LENGTH; ++i)
    id += LETTERS[pick(random)];
  return id;
}

std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string finish_reason(StopReason reason) {
  return reason == StopReason::max_tokens || reason == StopReason::budget ? "length" : "stop";
}

const Offer& find_offer(const ServedModel& served, const std::string& id) {
  constexpr int NOT_FOUND = 404;
  if (id.empty()) return served.bare();
  if (const Offer* offer = served.find(id)) return *offer;
  throw ApiError(
      NOT_FOUND, "invalid_request_error", "model_not_found",
      fmt::format("there is no model {}; GET /v1/models lists them",
                  nlohmann::json(id).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)),
      "model");
}

void check_size(std::size_t bytes, int context) {
  constexpr std::size_t BYTES_PER_TOKEN = 64;  // more than any text has on average
  if (bytes > BYTES_PER_TOKEN * static_cast<std::size_t>(context)) {
    throw bad_request("context_length_exceeded",
                      fmt::format("the context holds {} tokens; the prompt has {} bytes, which are "
                                  "many more",
                                  context, bytes));
  }
}

int room_for_text(std::size_t prompt_tokens, int asked, int context) {
  if (prompt_tokens == 0) throw bad_request("invalid_value", "the prompt is empty", "prompt");
  const auto room = static_cast<std::size_t>(context);
  if (prompt_tokens + (asked > 0 ? 1 : 0) > room) {
    throw bad_request(
        "context_length_exceeded",
        fmt::format("the context holds {} tokens; the prompt has {}", context, prompt_tokens));
  }
  return std::min(asked, static_cast<int>(room - prompt_tokens));
}

void check_cancelled(const Job& job, Metrics& metrics) {
  if (!job.exchange->cancelled().load()) return;
  metrics.count_cancelled(job.exchange->why());
  Exchange::throw_cancelled(job.exchange->why());
}

}  // namespace litestage::serve
