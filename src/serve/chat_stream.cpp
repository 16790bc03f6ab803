#include "serve/chat_stream.h"

#include <nlohmann/json.hpp>

namespace litestage::serve {

using OrderedJson = nlohmann::ordered_json;

OrderedJson AnswerHead::json() const {
  return {{"id", id}, {"object", object}, {"created", created}, {"model", model}};
}

ChatStream::ChatStream(Exchange& exchange, const std::string& model, bool include_usage)
    : exchange_(exchange),
      head_{new_id("chatcmpl-"), "chat.completion.chunk", unix_now(), model},
      include_usage_(include_usage) {}

void ChatStream::send(const OrderedJson& delta, const OrderedJson& finish_reason,
                      const OrderedJson& extra) {
  OrderedJson chunk = head_.json();
  OrderedJson choice = {{"index", 0}, {"delta", delta}, {"logprobs", nullptr}};
  choice["finish_reason"] = finish_reason;
  chunk["choices"] = OrderedJson::array({std::move(choice)});
  if (include_usage_) chunk["usage"] = nullptr;
  if (!extra.is_null()) chunk["litestage"] = extra;
  exchange_.send_event("", chunk);
}

void ChatStream::open() {
  if (opened_) return;
  opened_ = true;
  exchange_.begin_events();
  send({{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
}

void ChatStream::add(const char* field, std::string_view text) {
  open();
  send({{field, text}}, nullptr, nullptr);
}

void ChatStream::end(const std::string& finish_reason, const Usage& usage,
                     const OrderedJson& extra) {
  open();
  send(OrderedJson::object(), finish_reason, extra);
  if (include_usage_) {
    OrderedJson chunk = head_.json();
    chunk["choices"] = OrderedJson::array();
    chunk["usage"] = usage.json();
    exchange_.send_event("", chunk);
  }
  exchange_.send_data("[DONE]");
  exchange_.end_events();
}

}  // namespace litestage::serve
