#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace litestage::test {

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;                            ///< chunks put together

  nlohmann::json json() const { return nlohmann::json::parse(body); }
  /// error.code, or "" when the body has none
  std::string error_code() const;
};

/// One server-sent event.
struct HttpEvent {
  std::string name;
  std::string data;

  nlohmann::json json() const { return nlohmann::json::parse(data); }
};

/// The events of a stream's whole text.
std::vector<HttpEvent> parse_events(const std::string& text);

/// A connection to a server on this machine, byte by byte, so that tests can break every rule.
/// Throws std::runtime_error when nothing comes for a minute.
class HttpConnection {
 public:
  explicit HttpConnection(std::uint16_t port);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// @return false when the server has closed
  bool send(const std::string& bytes) const;
  /// The next whole answer.
  /// @param has_body false: after a HEAD request
  HttpAnswer read_answer(bool has_body = true);
  /// Waits until the text read so far and not taken has this part.
  void read_until(const std::string& part);
  /// Reads until the server closes. @return what came
  std::string read_to_end();
  /// Waits for the end of the connection, whatever comes before.
  void wait_for_close();
  void close();

 private:
  bool read_more();

  int socket_;
  std::string read_;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// The bytes of a request, `Host: 127.0.0.1` unless the headers give one.
std::string http_request(const std::string& method, const std::string& path,
                         const std::string& body = {}, const HttpHeaders& headers = {});

/// Asks on a connection of its own.
HttpAnswer ask(std::uint16_t port, const std::string& method, const std::string& path,
               const std::string& body = {}, const HttpHeaders& headers = {});

}  // namespace litestage::test
