// Bodies of requests: what is read, and that whatever is wrong is said of its field.
#include "serve/request_fields.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "serve/api_error.h"

namespace litestage::serve {
namespace {

using Json = nlohmann::json;

/// `param` and `code` of the error that a reader throws; empty when it throws none.
std::pair<std::string, std::string> refusal(const auto& read) {
  try {
    read();
  } catch (const UserError& error) {
    const auto json = error_json(error).at("error");
    const auto text = [&](const char* key) {
      return json.at(key).is_null() ? std::string() : json.at(key).template get<std::string>();
    };
    return {text("param"), text("code")};
  }
  return {};
}

std::pair<std::string, std::string> chat_refusal(const std::string& changes) {
  Json body = {{"messages", {{{"role", "user"}, {"content", "Hello"}}}}};
  body.merge_patch(Json::parse(changes));
  return refusal([&] { read_chat_request(body.dump(), {}); });
}

std::pair<std::string, std::string> completion_refusal(const std::string& changes) {
  Json body = {{"prompt", "Hello"}};
  body.merge_patch(Json::parse(changes));
  return refusal([&] { read_completion_request(body.dump(), {}); });
}

using Refusal = std::pair<std::string, std::string>;

TEST(RequestFields, WhatIsNoJsonObjectIsInvalid) {
  for (const char* body : {"", "{", "[]", "3", R"({"a":1,"a":2})", "{\"a\":\"\xFF\"}", "nul"}) {
    const Refusal found = refusal([&] { read_chat_request(body, {}); });
    EXPECT_EQ(found.second, "invalid_json") << body;
  }
  const std::string deep(100'000, '[');
  EXPECT_EQ(refusal([&] { read_chat_request(deep, {}); }).second, "invalid_json");
}

TEST(RequestFields, TheFieldAtFaultIsNamed) {
  const std::string value = "invalid_value";
  EXPECT_EQ(chat_refusal("{}"), Refusal());
  EXPECT_EQ(chat_refusal(R"({"messages": null})"), Refusal("messages", value));
  EXPECT_EQ(chat_refusal(R"({"messages": []})"), Refusal("messages", value));
  EXPECT_EQ(chat_refusal(R"({"messages": "hello"})"), Refusal("messages", value));
  EXPECT_EQ(chat_refusal(R"({"messages": [{"role": "wizard", "content": ""}]})"),
            Refusal("messages[0].role", value));
  EXPECT_EQ(chat_refusal(R"({"messages": [{"role": "user", "content": 3}]})"),
            Refusal("messages[0].content", value));
  EXPECT_EQ(chat_refusal(R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})"),
            Refusal("messages[0].content[0]", value));
  EXPECT_EQ(chat_refusal(R"({"temperature": "hot"})"), Refusal("temperature", value));
  EXPECT_EQ(chat_refusal(R"({"temperature": 3})"), Refusal("temperature", value));
  EXPECT_EQ(chat_refusal(R"({"top_p": -1})"), Refusal("top_p", value));
  EXPECT_EQ(chat_refusal(R"({"max_tokens": 0})"), Refusal("max_tokens", value));
  EXPECT_EQ(chat_refusal(R"({"max_tokens": 1000000})"), Refusal("max_tokens", value));
  EXPECT_EQ(chat_refusal(R"({"max_tokens": 1.5})"), Refusal("max_tokens", value));
  EXPECT_EQ(chat_refusal(R"({"stop": [3]})"), Refusal("stop[0]", value));
  EXPECT_EQ(chat_refusal(R"({"stop": ""})"), Refusal("stop", value));
  EXPECT_EQ(chat_refusal(R"({"stream": 1})"), Refusal("stream", value));
  EXPECT_EQ(chat_refusal(R"({"seed": "x"})"), Refusal("seed", value));
  EXPECT_EQ(completion_refusal("{}"), Refusal());
  EXPECT_EQ(completion_refusal(R"({"prompt": {}})"), Refusal("prompt", value));
  EXPECT_EQ(completion_refusal(R"({"prompt": []})"), Refusal("prompt", value));
  EXPECT_EQ(completion_refusal(R"({"prompt": [[1], ["a"]]})"), Refusal("prompt[1][0]", value));
  EXPECT_EQ(completion_refusal(R"({"prompt": [-1]})"), Refusal("prompt[0]", value));
  EXPECT_EQ(completion_refusal(R"({"prompt": [1e300]})"), Refusal("prompt[0]", value));
  EXPECT_EQ(completion_refusal(R"({"logprobs": true})"), Refusal("logprobs", value));
}

TEST(RequestFields, WhatWouldChangeTheAnswerAndIsNotSupportedIsRefused) {
  const std::string code = "unsupported_parameter";
  EXPECT_EQ(chat_refusal(R"({"n": 2})"), Refusal("n", code));
  EXPECT_EQ(chat_refusal(R"({"tools": [{"type": "function"}]})"), Refusal("tools", code));
  EXPECT_EQ(chat_refusal(R"({"response_format": {"type": "json_object"}})"),
            Refusal("response_format", code));
  EXPECT_EQ(chat_refusal(R"({"logit_bias": {"5": 1}})"), Refusal("logit_bias", code));
  EXPECT_EQ(chat_refusal(R"({"frequency_penalty": 0.5})"), Refusal("frequency_penalty", code));
  EXPECT_EQ(chat_refusal(R"({"stream": true, "logprobs": true})"), Refusal("logprobs", code));
  EXPECT_EQ(chat_refusal(R"({"n": 1, "tools": [], "logit_bias": {}, "frequency_penalty": 0,
                             "response_format": {"type": "text"}, "user": "me", "other": [1]})"),
            Refusal());
}

TEST(RequestFields, ReadsAChat) {
  const ChatRequest chat = read_chat_request(
      R"({"model": "m", "messages": [{"role": "developer", "content": "Be brief."},
          {"role": "user", "content": [{"type": "text", "text": "Hel"},
                                       {"type": "text", "text": "lo"}]}],
          "stream": true, "stream_options": {"include_usage": true}, "temperature": 0.5,
          "max_completion_tokens": 7, "stop": ["x", "y"], "seed": 4294967297})",
      {});
  EXPECT_EQ(chat.model, "m");
  ASSERT_EQ(chat.messages.size(), 2U);
  EXPECT_EQ(chat.messages[0].role, "system");
  EXPECT_EQ(chat.messages[1].content, "Hello");
  EXPECT_TRUE(chat.streaming.stream);
  EXPECT_TRUE(chat.streaming.include_usage);
  EXPECT_FLOAT_EQ(chat.writing.sampler.temperature, 0.5F);
  EXPECT_EQ(chat.writing.max_tokens, 7);
  EXPECT_EQ(chat.writing.stop, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(chat.writing.sampler.seed, 1U);
}

TEST(RequestFields, APromptIsTextsOrTokens) {
  const auto prompts = [](const std::string& prompt) {
    return read_completion_request("{\"prompt\": " + prompt + "}", {}).prompts;
  };
  EXPECT_EQ(prompts("\"a\""), (std::vector<Prompt>{std::string("a")}));
  EXPECT_EQ(prompts(R"(["a", "b"])"), (std::vector<Prompt>{std::string("a"), std::string("b")}));
  EXPECT_EQ(prompts("[3, 4]"), (std::vector<Prompt>{std::vector<Token>{3, 4}}));
  EXPECT_EQ(prompts("[[3], [4, 5]]"),
            (std::vector<Prompt>{std::vector<Token>{3}, std::vector<Token>{4, 5}}));
}

TEST(RequestFields, OptionsOfAQuestionStandInItOrBesideIt) {
  const StagesRequest inside = read_stages_request(R"({"question": "Which? (A) a (B) b"})");
  EXPECT_EQ(inside.question.text, "Which?");
  ASSERT_EQ(inside.question.options.size(), 2U);
  EXPECT_EQ(inside.mode, StagesMode::full);
  const StagesRequest beside = read_stages_request(
      R"({"question": "Which (A) is?", "options": ["x", "y"], "mode": "both",
          "exit_rules": false})");
  EXPECT_EQ(beside.question.text, "Which (A) is?");
  EXPECT_EQ(beside.question.options[1].text, "y");
  EXPECT_EQ(beside.mode, StagesMode::both);
  EXPECT_FALSE(beside.exit_rules);
  EXPECT_EQ(read_stages_request(R"({"question": "Why?", "plan": "p"})").mode, StagesMode::plan);
  EXPECT_EQ(refusal([] { read_stages_request(R"({"question": " "})"); }).first, "question");
  EXPECT_EQ(refusal([] { read_stages_request(R"({"question": "Q", "mode": "all"})"); }).first,
            "mode");
  EXPECT_EQ(refusal([] { read_stages_request(R"({"question": "Q", "options": "ab"})"); }).first,
            "options");
}

}  // namespace
}  // namespace litestage::serve
