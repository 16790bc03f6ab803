// HTTP by its rules and against them: whatever a client sends, the server answers or closes, and
// goes on.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/served_tiny.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

using namespace std::chrono_literals;

ServedTinyOptions strict() {
  ServedTinyOptions options;
  options.http.body_bytes = 10'000;
  return options;
}

class Http : public testing::Test {
 protected:
  static const ServedTiny& served() {
    static const ServedTiny SERVED(strict());
    return SERVED;
  }
  /// It goes on answering, at the latest when it has seen the ends of the connections before.
  static void expect_alive() {
    while (served().get("/health").status != 200) {
    }
  }
};

TEST_F(Http, AConnectionIsKept) {
  HttpConnection connection(served().port());
  for (int i = 0; i < 3; ++i) {
    connection.send(http_request("GET", "/health"));
    const HttpAnswer answer = connection.read_answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers.at("connection"), "keep-alive");
  }
  connection.send(http_request("GET", "/health", "", {{"Connection", "close"}}));
  EXPECT_EQ(connection.read_answer().headers.at("connection"), "close");
  EXPECT_EQ(connection.read_to_end(), "");
}

TEST_F(Http, AConnectionIsKeptAfterAnError) {
  HttpConnection connection(served().port());
  connection.send(http_request("POST", "/v1/chat/completions", "{"));
  EXPECT_EQ(connection.read_answer().status, 400);
  connection.send(http_request("GET", "/health"));
  EXPECT_EQ(connection.read_answer().status, 200);
}

TEST_F(Http, RequestsThatComeTooEarlyAreAnsweredInOrder) {
  HttpConnection connection(served().port());
  const std::string chat = http_request("POST", "/v1/chat/completions", chat_body("three").dump());
  connection.send(chat + http_request("GET", "/health") + http_request("GET", "/nothing"));
  EXPECT_EQ(connection.read_answer().json().at("object"), "chat.completion");
  EXPECT_EQ(connection.read_answer().json().at("status"), "ok");
  EXPECT_EQ(connection.read_answer().status, 404);
}

TEST_F(Http, MoreRequestsThanTheBufferHoldsAreAllAnswered) {
  HttpConnection connection(served().port());
  std::string requests;
  constexpr int COUNT = 4000;  // 160 kB
  for (int i = 0; i < COUNT; ++i)
    requests += http_request("GET", "/health");
  connection.send(requests);
  for (int i = 0; i < COUNT; ++i)
    ASSERT_EQ(connection.read_answer().status, 200) << i;
}

TEST_F(Http, HeadHasNoBody) {
  HttpConnection connection(served().port());
  connection.send(http_request("HEAD", "/health") + http_request("GET", "/health"));
  EXPECT_EQ(connection.read_answer(false).headers.at("content-length"), "16");
  EXPECT_EQ(connection.read_answer().status, 200);
}

TEST_F(Http, ABodyMayComeInChunks) {
  const std::string body = chat_body("tiny").dump();
  HttpConnection connection(served().port());
  connection.send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
      "chunked\r\n\r\n");
  for (std::size_t at = 0; at < body.size(); at += 50) {
    const std::string part = body.substr(at, 50);
    char length[16];
    std::snprintf(length, sizeof length, "%zx\r\n", part.size());
    connection.send(length + part + "\r\n");
  }
  connection.send("0\r\n\r\n");
  EXPECT_EQ(connection.read_answer().status, 200);
}

TEST_F(Http, ExpectContinueIsAnswered) {
  const std::string body = chat_body("tiny").dump();
  const std::string request =
      http_request("POST", "/v1/chat/completions", body, {{"Expect", "100-continue"}});
  HttpConnection connection(served().port());
  connection.send(request.substr(0, request.size() - body.size()));
  connection.read_until("100 Continue");
  connection.send(body);
  EXPECT_EQ(connection.read_answer().status, 200);
}

TEST_F(Http, ABodyThatIsTooLargeIsRefusedUnread) {
  HttpConnection announced(served().port());
  announced.send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
      "99999999999\r\n\r\n");
  const HttpAnswer answer = announced.read_answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.error_code(), "body_too_large");
  HttpConnection sent(served().port());
  sent.send(http_request("POST", "/v1/chat/completions", std::string(2'000'000, 'x')));
  EXPECT_EQ(sent.read_answer().status, 413);
  HttpConnection chunked(served().port());
  chunked.send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
      "chunked\r\n\r\nffffff\r\n" +
      std::string(100'000, 'x'));
  EXPECT_EQ(chunked.read_answer().status, 413);
  expect_alive();
}

TEST_F(Http, HeadersThatAreTooLargeAreRefused) {
  HttpConnection connection(served().port());
  connection.send("GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(40'000, 'x'));
  const HttpAnswer answer = connection.read_answer();
  EXPECT_EQ(answer.status, 431);
  EXPECT_EQ(answer.error_code(), "header_too_large");
  expect_alive();
}

TEST_F(Http, WhatIsNoHttpGetsAnErrorAndTheEnd) {
  for (const char* bytes :
       {"\r\n\r\n\r\n\r\n", "hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n"}) {
    HttpConnection connection(served().port());
    connection.send(bytes);
    EXPECT_EQ(connection.read_answer().error_code(), "malformed_request") << bytes;
    EXPECT_EQ(connection.read_to_end(), "");
  }
  expect_alive();
}

TEST_F(Http, RandomBytesDoNoHarm) {
  std::mt19937 random(1);
  const std::string request =
      http_request("POST", "/v1/chat/completions", chat_body("tiny").dump());
  for (int round = 0; round < 200; ++round) {
    std::string bytes = request;
    for (int change = 0; change < 4; ++change)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    HttpConnection connection(served().port());
    connection.send(bytes.substr(0, random() % bytes.size()));
  }
  expect_alive();
}

TEST(HttpConnections, TooManyAreToldSo) {
  ServedTinyOptions options;
  options.http.connections = 8;
  const ServedTiny served(options);
  std::vector<std::unique_ptr<HttpConnection>> open;
  for (int i = 0; i < 8; ++i) {
    open.push_back(std::make_unique<HttpConnection>(served.port()));
    open.back()->send(http_request("GET", "/health"));
    ASSERT_EQ(open.back()->read_answer().status, 200);
  }
  HttpConnection more(served.port());
  const HttpAnswer answer = more.read_answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.error_code(), "too_many_connections");
  more.wait_for_close();
  open.pop_back();
  // The server sees the end of a connection a moment later.
  int status = 0;
  while (status != 200) {
    HttpConnection again(served.port());
    again.send(http_request("GET", "/health"));
    status = again.read_answer().status;
  }
}

TEST(HttpTimes, WhoSendsTooSlowlyIsClosed) {
  ServedTinyOptions options;
  options.http.read_time = 200ms;
  const ServedTiny served(options);
  HttpConnection silent(served.port());
  HttpConnection half(served.port());
  half.send("GET /health HT");
  HttpConnection body(served.port());
  body.send("POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{");
  EXPECT_EQ(silent.read_to_end(), "");
  EXPECT_EQ(half.read_to_end(), "");
  EXPECT_EQ(body.read_to_end(), "");
  EXPECT_EQ(served.get("/health").status, 200);
}

TEST(HttpTimes, WhoReadsTooSlowlyIsClosed) {
  ServedTinyOptions options;
  options.http.write_time = 200ms;
  const ServedTiny served(options);
  HttpConnection connection(served.port());
  // Far more answers than fit into the sockets' buffers, and nobody who reads them.
  std::string requests;
  for (int i = 0; i < 20'000; ++i)
    requests += http_request("GET", "/metrics");
  connection.send(requests);
  while (served.metric("litestage_connections") > 1) {  // the one that asks for it
  }
}

}  // namespace
}  // namespace litestage::test
