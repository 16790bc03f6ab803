#include "support/http_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <stdexcept>

namespace litestage::test {
namespace {

/// Text without the chunks' lengths. @return whether the last chunk was there
bool join_chunks(std::string& text, std::string& body) {
  std::size_t at = 0;
  body.clear();
  while (true) {
    const std::size_t line = text.find("\r\n", at);
    if (line == std::string::npos) return false;
    const std::size_t length = std::stoul(text.substr(at, line - at), nullptr, 16);
    if (text.size() < line + 2 + length + 2) return false;
    body += text.substr(line + 2, length);
    at = line + 2 + length + 2;
    if (length == 0) break;
  }
  text.erase(0, at);
  return true;
}

HttpAnswer parse_answer_head(const std::string& head) {
  HttpAnswer answer;
  std::istringstream lines(head);
  std::string version;
  lines >> version >> answer.status;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string name = line.substr(0, colon);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    answer.headers[name] = line.substr(colon + 2, line.find('\r') - colon - 2);
  }
  return answer;
}

}  // namespace

std::string HttpAnswer::error_code() const {
  const nlohmann::json parsed = nlohmann::json::parse(body, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("error")) return "";
  return parsed.at("error").at("code").get<std::string>();
}

std::vector<HttpEvent> parse_events(const std::string& text) {
  std::vector<HttpEvent> events;
  HttpEvent event;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("event: ")) event.name = line.substr(7);
    if (line.starts_with("data: ")) event.data = line.substr(6);
    if (line.empty()) events.push_back(std::exchange(event, {}));
  }
  return events;
}

HttpConnection::HttpConnection(std::uint16_t port)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval patience{60, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("no connection");
}

HttpConnection::~HttpConnection() {
  close();
}

void HttpConnection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

bool HttpConnection::send(const std::string& bytes) const {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

/// @return false at the end of the connection
bool HttpConnection::read_more() {
  std::array<char, 16384> buffer{};
  const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (count < 0 && errno == EAGAIN) throw std::runtime_error("nothing came for a minute: " + read_);
  if (count <= 0) return false;
  read_.append(buffer.data(), static_cast<std::size_t>(count));
  return true;
}

void HttpConnection::read_until(const std::string& part) {
  while (read_.find(part) == std::string::npos) {
    if (!read_more()) throw std::runtime_error("closed after: " + read_);
  }
}

HttpAnswer HttpConnection::read_answer(bool has_body) {
  read_until("\r\n\r\n");
  const std::size_t end = read_.find("\r\n\r\n") + 4;
  HttpAnswer answer = parse_answer_head(read_.substr(0, end));
  read_.erase(0, end);
  constexpr int CONTINUE = 100;
  if (answer.status == CONTINUE) return read_answer(has_body);
  constexpr int NO_CONTENT = 204;
  if (!has_body || answer.status == NO_CONTENT) return answer;
  if (answer.headers.contains("transfer-encoding")) {
    while (!join_chunks(read_, answer.body)) {
      if (!read_more()) throw std::runtime_error("closed in a chunk: " + read_);
    }
  } else if (answer.headers.contains("content-length")) {
    const std::size_t length = std::stoul(answer.headers.at("content-length"));
    while (read_.size() < length) {
      if (!read_more()) throw std::runtime_error("closed in a body: " + read_);
    }
    answer.body = read_.substr(0, length);
    read_.erase(0, length);
  } else {
    answer.body = read_to_end();
  }
  return answer;
}

std::string HttpConnection::read_to_end() {
  while (read_more()) {
  }
  return std::exchange(read_, {});
}

void HttpConnection::wait_for_close() {
  read_to_end();
}

std::string http_request(const std::string& method, const std::string& path,
                         const std::string& body, const HttpHeaders& headers) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\n", method, path);
  const bool has_host =
      std::ranges::any_of(headers, [](const auto& header) { return header.first == "Host"; });
  if (!has_host) text += "Host: 127.0.0.1\r\n";
  for (const auto& [name, value] : headers)
    text += fmt::format("{}: {}\r\n", name, value);
  if (!body.empty()) text += fmt::format("Content-Length: {}\r\n", body.size());
  return text + "\r\n" + body;
}

HttpAnswer ask(std::uint16_t port, const std::string& method, const std::string& path,
               const std::string& body, const HttpHeaders& headers) {
  HttpConnection connection(port);
  connection.send(http_request(method, path, body, headers));
  return connection.read_answer(method != "HEAD");
}

}  // namespace litestage::test
