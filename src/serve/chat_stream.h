#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "serve/service.h"

namespace litestage::serve {

/// What every chunk and every whole answer of one request begins with.
struct AnswerHead {
  std::string id;
  std::string object;  ///< "chat.completion", ...
  std::int64_t created = 0;
  std::string model;

  nlohmann::ordered_json json() const;
};

/// A chat's answer as a stream of chunks. It is opened by the first of them, so that what is wrong
/// before is told by a status.
class ChatStream {
 public:
  ChatStream(Exchange& exchange, const std::string& model, bool include_usage);

  /// @param field "content" or "reasoning_content"
  void add(const char* field, std::string_view text);
  /// The last chunks.
  /// @param extra what a program did, or null
  void end(const std::string& finish_reason, const Usage& usage,
           const nlohmann::ordered_json& extra);

 private:
  void send(const nlohmann::ordered_json& delta, const nlohmann::ordered_json& finish_reason,
            const nlohmann::ordered_json& extra);
  void open();

  Exchange& exchange_;
  AnswerHead head_;
  bool include_usage_;
  bool opened_ = false;
};

}  // namespace litestage::serve
