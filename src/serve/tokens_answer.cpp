#include "serve/tokens_answer.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/stage_json.h"
#include "serve/api_error.h"

namespace litestage::serve {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson markup(const Tokenizer& tokenizer, std::optional<Token> token) {
  return token ? OrderedJson(tokenizer.piece(*token)) : OrderedJson(nullptr);
}

}  // namespace

Reply tokens_reply(const Model& model, const TokenizeRequest& request) {
  const Tokenizer& tokenizer = model.tokenizer();
  OrderedJson tokens = OrderedJson::array();
  for (const Token token :
       tokenizer.encode(request.content, request.add_special, request.parse_special)) {
    if (request.with_pieces) {
      tokens.push_back({{"id", token}, {"piece", tokenizer.piece(token)}});
    } else {
      tokens.push_back(token);
    }
  }
  return {.body = json_line({{"tokens", std::move(tokens)}})};
}

Reply text_reply(const Model& model, const DetokenizeRequest& request) {
  const int size = model.vocabulary_size();
  const auto unknown = std::ranges::find_if(
      request.tokens, [size](Token token) { return token < 0 || token >= size; });
  if (unknown != request.tokens.end()) {
    throw bad_request("invalid_value",
                      fmt::format("token {} is outside the vocabulary of {}", *unknown, size),
                      "tokens");
  }
  const std::string text = model.tokenizer().decode(request.tokens);
  return {.body = json_line({{"content", text}, {"prompt", text}})};
}

Reply tokenizer_reply(const Model& model) {
  const Tokenizer& tokenizer = model.tokenizer();
  const std::string chat_template = tokenizer.chat_template();
  return {.body =
              json_line({{"tokenizer_class", "litestage"},
                         {"bos_token", markup(tokenizer, tokenizer.beginning_of_text())},
                         {"eos_token", markup(tokenizer, tokenizer.end_of_text())},
                         {"chat_template", chat_template.empty() ? OrderedJson(nullptr)
                                                                 : OrderedJson(chat_template)}})};
}

}  // namespace litestage::serve
