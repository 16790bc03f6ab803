// Work that nobody waits for any longer ends, and makes room for others.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>

#include "support/served_tiny.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;

/// A context so long that a text in it takes far longer than any test.
ServedTinyOptions long_texts(int workers) {
  ServedTinyOptions options;
  options.context = 1 << 17;
  options.engine.workers = workers;
  options.engine.longest_queue = 1;
  options.limits.max_tokens = 1 << 20;
  return options;
}

Json endless() {
  return {{"prompt", "Once upon"}, {"max_tokens", 60'000}, {"temperature", 0}, {"stream", true}};
}

std::string endless_request() {
  return http_request("POST", "/v1/completions", endless().dump());
}

const std::string RUNNING = R"(litestage_requests{state="running"})";
const std::string QUEUED = R"(litestage_requests{state="queued"})";
const std::string DISCONNECTED = R"(litestage_cancelled_total{cause="disconnected"})";

TEST(Cancel, AClientThatGoesAwayEndsItsText) {
  const ServedTiny served(long_texts(1));
  HttpConnection connection(served.port());
  connection.send(endless_request());
  connection.read_until("data: ");
  EXPECT_EQ(served.metric(RUNNING), 1);
  connection.close();
  served.wait_for_metric(DISCONNECTED, 1);
  Json next = endless();
  next["max_tokens"] = 2;
  next["stream"] = false;
  EXPECT_EQ(served.post("/v1/completions", next).status, 200);
}

TEST(Cancel, AClientThatDoesNotReadTheEndGoesAwayToo) {
  const ServedTiny served(long_texts(1));
  HttpConnection connection(served.port());
  Json body = endless();
  body["stream"] = false;  // nothing is written to it: only its end can be seen
  connection.send(http_request("POST", "/v1/completions", body.dump()));
  served.wait_for_metric(RUNNING, 1);
  connection.close();
  served.wait_for_metric(DISCONNECTED, 1);
}

TEST(Cancel, AFullQueueIsToldAndQueuedRequestsCanGoAway) {
  const ServedTiny served(long_texts(1));
  HttpConnection running(served.port());
  running.send(endless_request());
  running.read_until("data: ");
  auto waiting = std::make_unique<HttpConnection>(served.port());
  waiting->send(endless_request());
  served.wait_for_metric(QUEUED, 1);
  const HttpAnswer refused = served.post("/v1/completions", endless());
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.error_code(), "queue_full");
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  waiting->close();
  while (served.metric(QUEUED) > 0) {
  }
  EXPECT_EQ(served.metric(RUNNING), 1);
}

TEST(Cancel, WhatTakesTooLongEnds) {
  ServedTinyOptions options = long_texts(1);
  options.http.answer_time = 300ms;
  const ServedTiny served(options);
  Json body = endless();
  const std::vector<HttpEvent> events = parse_events(served.post("/v1/completions", body).body);
  EXPECT_EQ(events.back().name, "error");
  EXPECT_EQ(events.back().json().at("error").at("code"), "request_timeout");
  body["stream"] = false;
  const HttpAnswer answer = served.post("/v1/completions", body);
  EXPECT_EQ(answer.status, 504);
  EXPECT_EQ(answer.error_code(), "request_timeout");
  EXPECT_EQ(served.metric(R"(litestage_cancelled_total{cause="deadline"})"), 2);
}

TEST(Cancel, AQueuedRequestHasADeadlineToo) {
  ServedTinyOptions options = long_texts(1);
  options.http.answer_time = 500ms;
  const ServedTiny served(options);
  HttpConnection running(served.port());
  running.send(endless_request());
  running.read_until("data: ");
  Json body = endless();
  body["stream"] = false;
  EXPECT_NE(served.post("/v1/completions", body).status, 200);
}

TEST(Cancel, TwoTextsAreWrittenAtTheSameTime) {
  const ServedTiny served(long_texts(2));
  HttpConnection first(served.port());
  HttpConnection second(served.port());
  first.send(endless_request());
  first.read_until("data: ");
  second.send(endless_request());
  second.read_until("data: ");
  EXPECT_EQ(served.metric(RUNNING), 2);
}

TEST(Cancel, ShuttingDownLetsAnswersEnd) {
  ServedTiny served;
  HttpConnection idle(served.port());
  idle.send(http_request("GET", "/health"));
  idle.read_answer();
  HttpConnection connection(served.port());
  Json body = endless();
  body["max_tokens"] = 200;
  connection.send(http_request("POST", "/v1/completions", body.dump()));
  connection.read_until("data: ");
  served.server().shut_down(60s);
  EXPECT_EQ(parse_events(connection.read_answer().body).back().data, "[DONE]");
  EXPECT_EQ(idle.read_to_end(), "");
}

TEST(Cancel, ShuttingDownCancelsWhatDoesNotEnd) {
  ServedTiny served(long_texts(1));
  HttpConnection running(served.port());
  running.send(endless_request());
  running.read_until("data: ");
  HttpConnection waiting(served.port());
  waiting.send(endless_request());
  served.wait_for_metric(QUEUED, 1);
  served.server().shut_down(0s);
  EXPECT_EQ(parse_events(running.read_answer().body).back().json().at("error").at("code"),
            "shutting_down");
  EXPECT_EQ(waiting.read_answer().status, 503);
}

TEST(Cancel, ManyClientsThatComeAndGoLeaveNothingBehind) {
  ServedTinyOptions options;
  options.http.connections = 64;
  const ServedTiny served(options);
  std::vector<std::future<void>> clients;
  constexpr int CLIENTS = 8;
  clients.reserve(CLIENTS);
  for (int client = 0; client < CLIENTS; ++client) {
    clients.push_back(std::async(std::launch::async, [&served, client] {
      for (int i = 0; i < 12; ++i) {
        HttpConnection connection(served.port());
        Json body = chat_body(i % 3 == 0 ? "tiny" : i % 3 == 1 ? "three" : "three@small");
        body["stream"] = (client + i) % 2 == 0;
        connection.send(http_request("POST", "/v1/chat/completions", body.dump()));
        if ((client + i) % 4 == 0) continue;  // gone at once
        connection.read_answer();
      }
    }));
  }
  for (std::future<void>& client : clients)
    client.get();
  while (served.metric(RUNNING) + served.metric(QUEUED) > 0) {
  }
  const HttpAnswer answer = served.post("/v1/chat/completions", chat_body("three"));
  EXPECT_EQ(answer.status, 200) << answer.body;
}

}  // namespace
}  // namespace litestage::test
