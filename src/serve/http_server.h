#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "serve/api.h"

namespace litestage::serve {

/// Where a server listens, and what it takes from whoever connects.
struct HttpOptions {
  std::string host = "127.0.0.1";  ///< an address, or a name that has one
  std::uint16_t port = 8080;       ///< 0: any free one
  std::size_t header_bytes = 16U << 10;
  std::size_t body_bytes = 4U << 20;
  std::size_t unread_bytes = 4U << 20;             ///< of an answer that its client does not take
  int connections = 64;                            ///< at the same time
  std::chrono::milliseconds read_time{30'000};     ///< for a whole request, and between two
  std::chrono::milliseconds write_time{30'000};    ///< for a client to take a piece of an answer
  std::chrono::milliseconds answer_time{600'000};  ///< from a request to the end of its answer
};

/// Answers HTTP/1.1 (and 1.0) on one address: connections are kept, requests of one connection are
/// answered one after the other, and a client that is gone cancels what is being done for it.
class HttpServer {
 public:
  /// Listens, and answers in a thread of its own.
  /// @param api must outlive the server
  /// @throws UserError when the address cannot be had
  HttpServer(const HttpOptions& options, Api& api);
  /// As `shut_down`, with no time to finish.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const;  ///< the one it listens on

  /// Takes no more connections and requests, lets answers go on for some time, cancels the rest,
  /// and waits until nobody works on one.
  void shut_down(std::chrono::milliseconds grace);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace litestage::serve
