#include "serve/logprobs_json.h"

#include <algorithm>
#include <string>

#include <nlohmann/json.hpp>

namespace litestage::serve {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson bytes_of(const std::string& piece) {
  OrderedJson bytes = OrderedJson::array();
  for (const char byte : piece)
    bytes.push_back(static_cast<unsigned char>(byte));
  return bytes;
}

OrderedJson token_json(const Tokenizer& tokenizer, Token token, double logprob) {
  const std::string piece = tokenizer.piece(token);
  return {{"token", piece}, {"logprob", logprob}, {"bytes", bytes_of(piece)}};
}

/// Characters that begin in a piece: a token may hold a part of one.
std::size_t characters_in(const std::string& piece) {
  return static_cast<std::size_t>(
      std::ranges::count_if(piece, [](char byte) { return (byte & 0xC0) != 0x80; }));
}

}  // namespace

OrderedJson chat_logprobs(const Tokenizer& tokenizer, const std::vector<TokenLogprob>& tokens) {
  OrderedJson content = OrderedJson::array();
  for (const TokenLogprob& token : tokens) {
    if (tokenizer.is_end_of_generation(token.token)) continue;
    OrderedJson entry = token_json(tokenizer, token.token, token.logprob.value_or(0));
    entry["top_logprobs"] = OrderedJson::array();
    for (const auto& [other, logprob] : token.top)
      entry["top_logprobs"].push_back(token_json(tokenizer, other, logprob));
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

OrderedJson completion_logprobs(const Tokenizer& tokenizer,
                                const std::vector<TokenLogprob>& tokens) {
  OrderedJson json = {{"tokens", OrderedJson::array()},
                      {"token_logprobs", OrderedJson::array()},
                      {"top_logprobs", OrderedJson::array()},
                      {"text_offset", OrderedJson::array()}};
  std::size_t offset = 0;
  for (const TokenLogprob& token : tokens) {
    const std::string piece = tokenizer.piece(token.token);
    json["tokens"].push_back(piece);
    json["text_offset"].push_back(offset);
    offset += characters_in(piece);
    if (!token.logprob) {
      json["token_logprobs"].push_back(nullptr);
      json["top_logprobs"].push_back(nullptr);
      continue;
    }
    json["token_logprobs"].push_back(*token.logprob);
    OrderedJson top = OrderedJson::object();
    for (const auto& [other, logprob] : token.top)
      top.emplace(tokenizer.piece(other), logprob);  // of equal texts the likelier one stays
    json["top_logprobs"].push_back(std::move(top));
  }
  return json;
}

}  // namespace litestage::serve
