// Every route of a served tiny model, as clients see it.
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>

#include "support/served_tiny.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

class Routes : public testing::Test {
 protected:
  static const ServedTiny& served() {
    static const ServedTiny SERVED;
    return SERVED;
  }
};

void expect_error(const HttpAnswer& answer, int status, const std::string& code) {
  EXPECT_EQ(answer.status, status) << answer.body;
  EXPECT_EQ(answer.error_code(), code) << answer.body;
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  const Json error = answer.json().at("error");
  EXPECT_TRUE(error.at("message").is_string());
  EXPECT_TRUE(error.at("type").is_string());
  EXPECT_TRUE(error.contains("param"));
}

TEST_F(Routes, Health) {
  EXPECT_EQ(served().get("/health").json(), Json({{"status", "ok"}}));
  EXPECT_EQ(served().get("/").status, 200);
}

TEST_F(Routes, ModelsAreTheModelProgramsAndPlans) {
  const Json list = served().get("/v1/models").json();
  EXPECT_EQ(list.at("object"), "list");
  std::vector<std::string> ids;
  for (const Json& model : list.at("data")) {
    EXPECT_EQ(model.at("object"), "model");
    ids.push_back(model.at("id"));
  }
  EXPECT_EQ(ids, (std::vector<std::string>{"tiny", "three", "three@small", "early", "early@sure"}));
  EXPECT_EQ(list.at("data")[2].at("litestage").at("kind"), "plan");
  EXPECT_EQ(served().get("/v1/models/three").json().at("id"), "three");
  EXPECT_EQ(served().get("/v1/models/th%72ee").json().at("id"), "three");
  expect_error(served().get("/v1/models/th%7zee"), 404, "model_not_found");
  expect_error(served().get("/v1/models/three%"), 404, "model_not_found");
  expect_error(served().get("/v1/models/%ff"), 404, "model_not_found");
  expect_error(served().get("/v1/models/four"), 404, "model_not_found");
}

TEST_F(Routes, AChatWithAProgramHasReasoningAndAnAnswer) {
  const Json answer = served().post("/v1/chat/completions", chat_body("three")).json();
  EXPECT_EQ(answer.at("object"), "chat.completion");
  const Json& choice = answer.at("choices")[0];
  const std::string content = choice.at("message").at("content");
  EXPECT_TRUE(content == "A" || content == "B" || content.empty()) << content;
  EXPECT_TRUE(
      choice.at("message").at("reasoning_content").get<std::string>().starts_with("recall:"));
  EXPECT_EQ(choice.at("finish_reason"), "stop");
  const Json& stages = answer.at("litestage").at("stages");
  ASSERT_EQ(stages.size(), 4U);  // recall, analyze A and B, answer
  for (const char* key :
       {"name", "text", "tokens", "prefill_ms", "decode_ms", "mask", "stop_reason"})
    EXPECT_TRUE(stages[0].contains(key)) << key;
  int written = 0;
  for (const Json& stage : stages)
    written += stage.at("tokens").get<int>();
  EXPECT_EQ(answer.at("usage").at("completion_tokens"), written);
}

TEST_F(Routes, APlanLeavesOutWhatItSays) {
  const Json answer = served().post("/v1/chat/completions", chat_body("three@small")).json();
  const Json& stages = answer.at("litestage").at("stages");
  EXPECT_EQ(stages[0].at("mask"), "f1");
  EXPECT_LE(stages[0].at("tokens").get<int>(), 2);
  EXPECT_EQ(answer.at("litestage").at("plan"), "three@small");
}

TEST_F(Routes, AChatWithTheModelItself) {
  const HttpAnswer answer = served().post("/v1/chat/completions", chat_body("tiny"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = answer.json();
  EXPECT_TRUE(json.at("choices")[0].at("message").at("content").is_string());
  EXPECT_LE(json.at("usage").at("completion_tokens").get<int>(), 8);
  EXPECT_FALSE(json.contains("litestage"));
  // The same again reads nothing but the last token anew.
  const Json again = served().post("/v1/chat/completions", chat_body("tiny")).json();
  EXPECT_EQ(again.at("usage").at("prompt_tokens_details").at("cached_tokens").get<int>(),
            again.at("usage").at("prompt_tokens").get<int>() - 1);
  EXPECT_EQ(again.at("choices")[0].at("message"), json.at("choices")[0].at("message"));
}

TEST_F(Routes, TheSeedDecidesASample) {
  Json body = {{"prompt", "Once"}, {"temperature", 2}, {"top_k", 0},      {"top_p", 1},
               {"min_p", 0},       {"seed", 5},        {"max_tokens", 20}};
  const auto text = [&] {
    return served().post("/v1/completions", body).json().at("choices")[0].at("text");
  };
  const Json first = text();
  EXPECT_EQ(text(), first);
  body["seed"] = 6;
  EXPECT_NE(text(), first);
}

TEST_F(Routes, ACompletionOfSeveralPrompts) {
  const Json answer =
      served()
          .post("/v1/completions", {{"prompt", {"one", "two"}}, {"max_tokens", 3}, {"echo", true}})
          .json();
  EXPECT_EQ(answer.at("object"), "text_completion");
  ASSERT_EQ(answer.at("choices").size(), 2U);
  EXPECT_TRUE(answer.at("choices")[0].at("text").get<std::string>().starts_with("one"));
  EXPECT_TRUE(answer.at("choices")[1].at("text").get<std::string>().starts_with("two"));
  EXPECT_EQ(answer.at("choices")[1].at("index"), 1);
}

TEST_F(Routes, StopTextsEndAText) {
  Json body = {{"prompt", "Once upon"}, {"temperature", 0}, {"max_tokens", 30}};
  const std::string whole =
      served().post("/v1/completions", body).json().at("choices")[0].at("text");
  const auto plain = [](char byte) { return byte > ' ' && byte <= '~'; };
  const auto at = std::adjacent_find(whole.begin() + 1, whole.end(), [&](char left, char right) {
    return plain(left) && plain(right);
  });
  ASSERT_NE(at, whole.end()) << whole;
  const std::string stop(at, at + 2);
  body["stop"] = stop;
  const Json choice = served().post("/v1/completions", body).json().at("choices")[0];
  EXPECT_EQ(choice.at("text"), whole.substr(0, whole.find(stop)));
  EXPECT_EQ(choice.at("finish_reason"), "stop");
}

TEST_F(Routes, StagesInBothWays) {
  const HttpAnswer answer = served().post(
      "/v1/stages",
      {{"question", "Which? (A) iron (B) wool"}, {"program", "three"}, {"mode", "both"}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json answers = answer.json().at("answers");
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].at("arm"), "full");
  EXPECT_EQ(answers[1].at("arm"), "plan");
  EXPECT_EQ(answers[1].at("stages")[0].at("mask"), "f1");
  EXPECT_LE(answers[1].at("stages")[0].at("tokens").get<int>(), 2);
}

TEST_F(Routes, ExitRulesCanBeLeftOut) {
  const Json answers = served()
                           .post("/v1/stages", {{"question", "Which? (A) iron (B) wool"},
                                                {"plan", "three@small"},
                                                {"exit_rules", false}})
                           .json()
                           .at("answers");
  EXPECT_EQ(answers[0].at("stages")[0].at("mask"), "f1");
  EXPECT_NE(answers[0].at("stages")[0].at("stop_reason"), "budget");
  const Json with =
      served()
          .post("/v1/stages",
                {{"question", "Which? (A) iron (B) wool"}, {"program", "three"}, {"plan", "small"}})
          .json()
          .at("answers");
  EXPECT_EQ(with[0].at("stages")[0].at("stop_reason"), "budget");
}

TEST_F(Routes, Tokenize) {
  const Json tokens =
      served().post("/tokenize", {{"content", "the"}, {"with_pieces", true}}).json().at("tokens");
  std::string text;
  for (const Json& token : tokens)
    text += token.at("piece").get<std::string>();
  EXPECT_NE(text.find("the"), std::string::npos);
  expect_error(served().post("/tokenize", {{"content", std::string((1 << 17) + 1, 'a')}}), 400,
               "invalid_value");
}

TEST_F(Routes, AWrongMethodIsToldWhichAreAllowed) {
  EXPECT_EQ(ask(served().port(), "PUT", "/health").headers.at("allow"), "GET, HEAD");
  EXPECT_EQ(served().get("/tokenize").headers.at("allow"), "POST");
}

TEST_F(Routes, TokensGoBackToTheirText) {
  // The names that clients of vLLM use.
  const Json tokens = served()
                          .post("/tokenize", {{"prompt", "the sun"}, {"add_special_tokens", false}})
                          .json()
                          .at("tokens");
  EXPECT_EQ(tokens, served().post("/tokenize", {{"content", "the sun"}}).json().at("tokens"));
  const Json text = served().post("/detokenize", {{"tokens", tokens}}).json();
  EXPECT_EQ(text.at("content"), text.at("prompt"));
  EXPECT_NE(text.at("content").get<std::string>().find("the sun"), std::string::npos);
  expect_error(served().post("/detokenize", {{"tokens", {1 << 30}}}), 400, "invalid_value");
  const Json info = served().get("/tokenizer_info").json();
  EXPECT_TRUE(info.contains("bos_token"));
  EXPECT_TRUE(info.at("eos_token").is_string());
}

TEST_F(Routes, MetricsCountRequestsTokensAndStages) {
  served().post("/v1/chat/completions", chat_body("three"));
  EXPECT_GE(served().metric(R"(litestage_requests_total{code="200",route="/v1/chat/completions"})"),
            1);
  EXPECT_GE(served().metric(R"(litestage_tokens_total{kind="written"})"), 1);
  EXPECT_GE(served().metric(
                R"(litestage_stage_seconds_count{phase="write",program="three",stage="recall"})"),
            1);
  EXPECT_EQ(served().metric(R"(litestage_requests{state="queued"})"), 0);
  EXPECT_EQ(served().metric("litestage_model_ready"), 1);
}

TEST_F(Routes, EveryFailureIsAnErrorObject) {
  expect_error(served().get("/nothing"), 404, "unknown_url");
  expect_error(served().get("/v1/chat/completions"), 405, "method_not_allowed");
  expect_error(served().post("/health", {}), 405, "method_not_allowed");
  expect_error(ask(served().port(), "POST", "/v1/chat/completions", "{nonsense"), 400,
               "invalid_json");
  expect_error(served().post("/v1/chat/completions", chat_body("nobody")), 404, "model_not_found");
  expect_error(served().post("/v1/completions", {{"model", "three"}, {"prompt", "a"}}), 400,
               "unsupported_model");
  expect_error(served().post("/v1/completions", {{"prompt", {100000}}}), 400, "invalid_value");
  expect_error(served().post("/v1/stages", {{"question", "Why?"}, {"program", "four"}}), 404,
               "model_not_found");
  expect_error(served().post("/v1/stages", {{"question", "Why?"}, {"program", "three"}}), 400,
               "invalid_value");  // it needs options
  expect_error(
      served().post("/v1/chat/completions",
                    {{"model", "three"}, {"messages", {{{"role", "system"}, {"content", "x"}}}}}),
      400, "invalid_value");
}

TEST_F(Routes, TooLongPromptsAreRefusedBeforeAnyWork) {
  std::string words;
  for (int i = 0; i < 2000; ++i)
    words += " word";
  expect_error(served().post("/v1/completions", {{"prompt", words}}), 400,
               "context_length_exceeded");
  expect_error(served().post("/v1/completions", {{"prompt", std::string(200'000, 'a')}}), 400,
               "context_length_exceeded");
  Json chat = chat_body("tiny");
  chat["messages"][1]["content"] = words;
  expect_error(served().post("/v1/chat/completions", chat), 400, "context_length_exceeded");
  chat["model"] = "three";
  chat["messages"][1]["content"] = words + " (A) a (B) b";
  expect_error(served().post("/v1/chat/completions", chat), 400, "context_length_exceeded");
}

TEST_F(Routes, ATextEndsWhereTheContextDoes) {
  std::vector<int> tokens(1020, 5);
  const Json answer =
      served()
          .post("/v1/completions", {{"prompt", tokens}, {"max_tokens", 100}, {"temperature", 0}})
          .json();
  EXPECT_LE(answer.at("usage").at("completion_tokens").get<int>(), 4);
}

TEST(ServeKey, IsAskedForWhereAModelIs) {
  ServedTinyOptions options;
  options.access.api_key = "secret";
  const ServedTiny served(options);
  const HttpHeaders right = {{"Authorization", "Bearer secret"}};
  const HttpHeaders wrong = {{"Authorization", "Bearer guess"}};
  EXPECT_EQ(served.get("/health").status, 200);
  for (const char* path : {"/v1/models", "/metrics"}) {
    expect_error(served.get(path), 401, "invalid_api_key");
    expect_error(served.get(path, wrong), 401, "invalid_api_key");
    EXPECT_EQ(served.get(path, right).status, 200);
  }
  expect_error(served.post("/v1/chat/completions", chat_body("tiny")), 401, "invalid_api_key");
  EXPECT_EQ(served.post("/v1/chat/completions", chat_body("tiny"), right).status, 200);
}

TEST(ServeCors, IsForExactOriginsAlone) {
  ServedTinyOptions options;
  options.access.cors_origins = {"http://localhost:3000"};
  const ServedTiny served(options);
  const HttpAnswer allowed = served.get("/health", {{"Origin", "http://localhost:3000"}});
  EXPECT_EQ(allowed.headers.at("access-control-allow-origin"), "http://localhost:3000");
  const HttpAnswer preflight =
      ask(served.port(), "OPTIONS", "/v1/stages", "",
          {{"Origin", "http://localhost:3000"}, {"Access-Control-Request-Method", "POST"}});
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.headers.at("access-control-allow-headers"), "Authorization, Content-Type");
  expect_error(served.get("/health", {{"Origin", "http://example.org"}}), 403,
               "origin_not_allowed");
  expect_error(served.get("/health", {{"Host", "example.org"}}), 403, "host_not_allowed");
  EXPECT_FALSE(served.get("/health").headers.contains("access-control-allow-origin"));
}

TEST(ServeLoading, Answers503UntilTheModelIsThere) {
  std::mutex mutex;
  std::condition_variable changed;
  bool may_load = false;
  ServedTinyOptions options;
  options.before_load = [&] {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return may_load; });
  };
  const ServedTiny served(options);
  const HttpAnswer early = served.get("/health");
  expect_error(early, 503, "model_loading");
  EXPECT_TRUE(early.headers.contains("retry-after"));
  expect_error(served.post("/v1/chat/completions", chat_body("tiny")), 503, "model_loading");
  EXPECT_EQ(served.metric("litestage_model_ready"), 0);
  {
    const std::scoped_lock lock(mutex);
    may_load = true;
    changed.notify_all();
  }
  served.wait_until_ready();
  EXPECT_EQ(served.get("/health").status, 200);
}

}  // namespace
}  // namespace litestage::test
