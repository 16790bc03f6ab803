#include "support/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace litestage::test {
namespace {

constexpr int POLL_MS = 20;

bool send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::string read_head(int connection) {
  std::string head;
  std::array<char, 4096> buffer{};
  while (head.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = ::recv(connection, buffer.data(), buffer.size(), 0);
    if (count <= 0) return {};
    head.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return head;
}

ServedRequest parse_request_head(const std::string& head) {
  ServedRequest request;
  std::istringstream lines(head);
  std::string method;
  lines >> method >> request.path;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const auto colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string name = line.substr(0, colon);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    request.headers[name] = line.substr(colon + 2, line.size() - colon - 3);  // less "\r"
  }
  return request;
}

}  // namespace

std::size_t ServedRequest::range_begin() const {
  const auto range = headers.find("range");
  if (range == headers.end()) return 0;
  return std::stoul(range->second.substr(std::string_view("bytes=").size()));
}

HttpServer::HttpServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, generic, size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, generic, &size) != 0)
    throw std::runtime_error("no loopback server");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_connections(); });
}

HttpServer::~HttpServer() {
  ending_ = true;
  acceptor_.join();
  for (auto& worker : workers_)
    worker.join();
  ::close(listener_);
}

std::string HttpServer::url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

std::vector<ServedRequest> HttpServer::requests() const {
  const std::scoped_lock lock(mutex_);
  return requests_;
}

void HttpServer::accept_connections() {
  while (!ending_) {
    pollfd waited{listener_, POLLIN, 0};
    if (::poll(&waited, 1, POLL_MS) <= 0) continue;
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection >= 0) workers_.emplace_back([this, connection] { serve(connection); });
  }
}

void HttpServer::serve(int connection) {
  const std::string head = read_head(connection);
  if (head.empty()) {
    ::close(connection);
    return;
  }
  const ServedRequest request = parse_request_head(head);
  {
    const std::scoped_lock lock(mutex_);
    requests_.push_back(request);
  }
  const Reply reply = handler_(request);
  std::string answer = fmt::format("HTTP/1.1 {} Answer\r\nConnection: close\r\n", reply.status);
  if (reply.announce_length) answer += fmt::format("Content-Length: {}\r\n", reply.body.size());
  for (const auto& header : reply.headers)
    answer += header + "\r\n";
  answer += "\r\n";
  const std::string_view body(reply.body);
  if (send_all(connection, answer))
    send_all(connection, body.substr(0, reply.cut_after.value_or(body.size())));
  while (reply.hang_at_cut && !ending_) {
    pollfd waited{connection, POLLIN, 0};
    if (::poll(&waited, 1, POLL_MS) > 0) break;  // the client went away
  }
  // What the client sent last is read, or closing would reset the connection and lose the answer.
  ::shutdown(connection, SHUT_WR);
  std::array<char, 256> rest{};
  pollfd waited{connection, POLLIN, 0};
  while (::poll(&waited, 1, 1000) > 0 && ::recv(connection, rest.data(), rest.size(), 0) > 0) {
  }
  ::close(connection);
}

Reply file_reply(const std::string& content, const ServedRequest& request) {
  const std::size_t begin = request.range_begin();
  Reply reply;
  if (begin == 0) {
    reply.body = content;
    return reply;
  }
  if (begin >= content.size()) {
    reply.status = 416;
    reply.headers = {fmt::format("Content-Range: bytes */{}", content.size())};
    return reply;
  }
  reply.status = 206;
  reply.headers = {
      fmt::format("Content-Range: bytes {}-{}/{}", begin, content.size() - 1, content.size())};
  reply.body = content.substr(begin);
  return reply;
}

}  // namespace litestage::test
