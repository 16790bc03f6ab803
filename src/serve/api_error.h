#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "litestage/error.h"
#include "serve/exchange.h"

namespace litestage::serve {

/// What requests are called in the `where` of a UserError; what follows it is the field at fault.
inline constexpr const char* REQUEST_BODY = "request body";

/// A request that is not answered, as clients of the OpenAI API know it. A plain UserError is one
/// too: status 400, `invalid_request_error`.
class ApiError : public UserError {
 public:
  /// @param status of HTTP
  /// @param type "invalid_request_error", "authentication_error", ...
  /// @param code what programs look at, as "model_not_found"; may be empty
  /// @param param the field at fault; may be empty
  ApiError(int status, std::string type, std::string code, const std::string& message,
           std::string param = {});

  /// The same with a header of the answer.
  ApiError with_header(std::string name, std::string value) &&;

  int status() const noexcept { return status_; }
  const std::string& type() const noexcept { return type_; }
  const std::string& code() const noexcept { return code_; }
  const std::string& param() const noexcept { return param_; }
  const HttpHeaders& headers() const noexcept { return headers_; }

 private:
  int status_;
  std::string type_;
  std::string code_;
  std::string param_;
  HttpHeaders headers_;
};

/// 400, with a code of its own.
ApiError bad_request(std::string code, const std::string& message, std::string param = {});
/// 503 with type "overloaded_error": the same request may be answered a little later.
ApiError try_later(std::string code, const std::string& message);

/// A text, or null where it is empty.
nlohmann::ordered_json text_or_null(const std::string& text);

/// {"error": {"message", "type", "param", "code"}}
nlohmann::ordered_json error_json(const UserError& error);
/// The whole answer: status, that object, the error's headers, and `Retry-After` for 503.
Reply error_reply(const UserError& error);

}  // namespace litestage::serve
