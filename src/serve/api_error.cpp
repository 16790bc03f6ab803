#include "serve/api_error.h"

#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "eval/stage_json.h"

namespace litestage::serve {
namespace {

constexpr int BAD_REQUEST = 400;
constexpr int UNAVAILABLE = 503;
constexpr const char* RETRY_SECONDS = "5";

/// The field that `where` names: "request body: messages[0].role" is of messages[0].role.
std::string field_of(std::string_view where) {
  const std::string prefix = std::string(REQUEST_BODY) + ": ";
  return where.starts_with(prefix) ? std::string(where.substr(prefix.size())) : "";
}

}  // namespace

ApiError::ApiError(int status, std::string type, std::string code, const std::string& message,
                   std::string param)
    : UserError("", message),
      status_(status),
      type_(std::move(type)),
      code_(std::move(code)),
      param_(std::move(param)) {}

ApiError ApiError::with_header(std::string name, std::string value) && {
  headers_.emplace_back(std::move(name), std::move(value));
  return std::move(*this);
}

ApiError bad_request(std::string code, const std::string& message, std::string param) {
  return {BAD_REQUEST, "invalid_request_error", std::move(code), message, std::move(param)};
}

ApiError try_later(std::string code, const std::string& message) {
  return {UNAVAILABLE, "overloaded_error", std::move(code), message};
}

nlohmann::ordered_json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

nlohmann::ordered_json error_json(const UserError& error) {
  nlohmann::ordered_json json;
  json["message"] = error.what();
  if (const auto* api = dynamic_cast<const ApiError*>(&error)) {
    json["type"] = api->type();
    json["param"] = text_or_null(api->param());
    json["code"] = text_or_null(api->code());
  } else {
    json["type"] = "invalid_request_error";
    json["param"] = text_or_null(field_of(error.where()));
    json["code"] = "invalid_value";
  }
  return {{"error", std::move(json)}};
}

Reply error_reply(const UserError& error) {
  Reply reply;
  const auto* api = dynamic_cast<const ApiError*>(&error);
  reply.status = api != nullptr ? api->status() : BAD_REQUEST;
  reply.body = json_line(error_json(error)) + "\n";
  if (api != nullptr) reply.headers = api->headers();
  if (reply.status == UNAVAILABLE) reply.headers.emplace_back("Retry-After", RETRY_SECONDS);
  return reply;
}

}  // namespace litestage::serve
