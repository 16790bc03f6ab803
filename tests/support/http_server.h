#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace litestage::test {

struct ServedRequest {
  std::string path;
  std::map<std::string, std::string> headers;  ///< names in lower case

  /// N of `Range: bytes=N-`, or 0.
  std::size_t range_begin() const;
};

struct Reply {
  int status = 200;
  std::vector<std::string> headers = {};
  std::string body = {};
  std::optional<std::size_t> cut_after = {};  ///< close after so many bytes of the body
  bool announce_length = true;                ///< send Content-Length
  bool hang_at_cut = false;  ///< do not close there, but wait until the client or test ends
};

/// Serves HTTP on loopback from a thread, one connection at a time a thread, each for one request.
class HttpServer {
 public:
  using Handler = std::function<Reply(const ServedRequest&)>;

  explicit HttpServer(Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::string url(const std::string& path = "") const;
  std::vector<ServedRequest> requests() const;

 private:
  void accept_connections();
  void serve(int connection);

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> ending_ = false;
  mutable std::mutex mutex_;
  std::vector<ServedRequest> requests_;
  std::vector<std::thread> workers_;
  std::thread acceptor_;
};

/// A 200 with the whole content, or the 206 that a range asks for.
Reply file_reply(const std::string& content, const ServedRequest& request);

}  // namespace litestage::test
