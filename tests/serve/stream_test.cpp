// Answers as streams of server-sent events.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/served_tiny.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

class Streams : public testing::Test {
 protected:
  static const ServedTiny& served() {
    static const ServedTiny SERVED;
    return SERVED;
  }

  static std::vector<HttpEvent> stream(const std::string& path, Json body) {
    body["stream"] = true;
    const HttpAnswer answer = served().post(path, body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_TRUE(answer.headers.at("content-type").starts_with("text/event-stream"));
    return parse_events(answer.body);
  }
};

/// What the deltas of a chat's chunks add up to.
std::string joined(const std::vector<HttpEvent>& events, const std::string& field) {
  std::string text;
  for (const HttpEvent& event : events) {
    if (event.data == "[DONE]") continue;
    const Json chunk = event.json();
    for (const Json& choice : chunk.at("choices"))
      text += choice.at("delta").value(field, "");
  }
  return text;
}

TEST_F(Streams, AChatsChunksAddUpToItsAnswer) {
  for (const char* model : {"tiny", "three", "three@small", "early@sure"}) {
    Json body = chat_body(model);
    const Json whole = served().post("/v1/chat/completions", body).json();
    body["stream_options"] = {{"include_usage", true}};
    const std::vector<HttpEvent> events = stream("/v1/chat/completions", body);
    ASSERT_GE(events.size(), 4U) << model;
    EXPECT_EQ(events.front().json().at("choices")[0].at("delta").at("role"), "assistant");
    EXPECT_EQ(events.back().data, "[DONE]");
    const Json usage = events[events.size() - 2].json();
    EXPECT_TRUE(usage.at("choices").empty());
    EXPECT_EQ(usage.at("usage").at("completion_tokens"), whole.at("usage").at("completion_tokens"));
    const Json last = events[events.size() - 3].json();
    EXPECT_EQ(last.at("choices")[0].at("finish_reason"),
              whole.at("choices")[0].at("finish_reason"));
    const Json& message = whole.at("choices")[0].at("message");
    EXPECT_EQ(joined(events, "content"), message.at("content")) << model;
    EXPECT_EQ(joined(events, "reasoning_content"), message.value("reasoning_content", "")) << model;
    EXPECT_EQ(last.contains("litestage"), std::string(model) != "tiny");
    for (const HttpEvent& event : events) {
      if (event.data == "[DONE]") continue;
      EXPECT_EQ(event.json().at("object"), "chat.completion.chunk");
      EXPECT_EQ(event.json().at("id"), events.front().json().at("id"));
    }
  }
}

TEST_F(Streams, AnEarlyAnswerThatIsTakenIsTheContent) {
  const Json chat = served().post("/v1/chat/completions", chat_body("early@sure")).json();
  const Json& message = chat.at("choices")[0].at("message");
  const Json& stages = chat.at("litestage").at("stages");
  ASSERT_EQ(stages.size(), 2U);
  EXPECT_EQ(stages[1].at("stop_reason"), "sure");
  EXPECT_EQ(message.at("content"), stages[1].at("text"));
  EXPECT_EQ(chat.at("choices")[0].at("finish_reason"), "stop");

  const Json body = {
      {"question", "Which is heavier? (A) iron (B) wool"}, {"program", "early"}, {"mode", "plan"}};
  std::vector<Json> begun;
  std::vector<Json> ended;
  for (const HttpEvent& event : stream("/v1/stages", body)) {
    if (event.name == "stage_begin") begun.push_back(event.json());
    if (event.name == "stage_end") ended.push_back(event.json());
  }
  ASSERT_EQ(begun.size(), 2U);
  EXPECT_EQ(begun[1].at("stage"), "early-answer");
  EXPECT_EQ(begun[1].at("mask"), "f1") << "as the stage before it was run";
  EXPECT_EQ(ended[1].at("records")[0].at("stop_reason"), "sure");
  EXPECT_TRUE(ended[1].at("records")[0].at("margin").is_number());
}

TEST_F(Streams, ACompletionsChunksAddUpToItsText) {
  const Json body = {{"prompt", {"Once upon", "And then"}},
                     {"temperature", 0},
                     {"max_tokens", 12},
                     {"echo", true}};
  const Json whole = served().post("/v1/completions", body).json();
  std::vector<std::string> texts(2);
  for (const HttpEvent& event : stream("/v1/completions", body)) {
    if (event.data == "[DONE]") continue;
    const Json chunk = event.json();
    for (const Json& choice : chunk.at("choices"))
      texts.at(choice.at("index").get<std::size_t>()) += choice.at("text").get<std::string>();
  }
  EXPECT_EQ(texts[0], whole.at("choices")[0].at("text"));
  EXPECT_EQ(texts[1], whole.at("choices")[1].at("text"));
}

TEST_F(Streams, StagesTellWhatTheyDoInOrder) {
  const std::vector<HttpEvent> events =
      stream("/v1/stages",
             {{"question", "Which? (A) iron (B) wool"}, {"program", "three"}, {"mode", "both"}});
  std::string order;
  std::string stage;
  for (const HttpEvent& event : events) {
    if (event.name == "text") {
      EXPECT_EQ(event.json().at("stage"), stage);
      continue;
    }
    order += event.name.empty() ? event.data : event.name;
    if (event.name == "stage_begin") {
      stage = event.json().at("stage");
      order += ":" + stage;
    }
    order += " ";
  }
  const std::string arm =
      "begin stage_begin:recall stage_end stage_begin:analyze stage_end stage_begin:answer "
      "stage_end answer ";
  EXPECT_EQ(order, arm + arm + "[DONE] ");
}

TEST_F(Streams, EveryTokenHasItsConfidenceWhereThatIsWanted) {
  const auto events = stream("/v1/stages", {{"question", "Which? (A) iron (B) wool"},
                                            {"program", "three"},
                                            {"plan", "small"},
                                            {"confidence", true}});
  int told = 0;
  int written = 0;
  for (const HttpEvent& event : events) {
    if (event.name == "stage_begin") {
      EXPECT_EQ(event.json().at("mask"), "f1");
      EXPECT_GT(event.json().at("layers").get<int>(), 0);
      EXPECT_EQ(event.json().at("exit").at("confidence"), "largest_logit");
    }
    if (event.name == "confidence") {
      EXPECT_TRUE(event.json().at("value").is_number());
      ++told;
    }
    if (event.name != "stage_end") continue;
    const Json records = event.json().at("records");
    for (const Json& record : records)
      written += record.at("tokens").get<int>();
  }
  EXPECT_GT(told, 0);
  EXPECT_EQ(told, written);
}

TEST_F(Streams, WhatIsWrongBeforeTheFirstTextIsToldByAStatus) {
  Json body = chat_body("three");
  body["stream"] = true;
  body["messages"][1]["content"] = "no options";
  EXPECT_EQ(served().post("/v1/chat/completions", body).status, 400);
}

TEST_F(Streams, AnOldClientGetsItWithoutChunks) {
  Json body = chat_body("tiny");
  body["stream"] = true;
  std::string request = http_request("POST", "/v1/chat/completions", body.dump());
  request.replace(request.find("HTTP/1.1"), 8, "HTTP/1.0");
  HttpConnection connection(served().port());
  connection.send(request);
  const HttpAnswer answer = connection.read_answer();
  EXPECT_FALSE(answer.headers.contains("transfer-encoding"));
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_EQ(parse_events(answer.body).back().data, "[DONE]");
}

}  // namespace
}  // namespace litestage::test
