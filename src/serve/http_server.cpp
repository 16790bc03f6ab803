#include "serve/http_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "serve/api_error.h"
#include "serve/http_session.h"

namespace litestage::serve {
namespace {

namespace net = boost::asio;
using net::ip::tcp;
using ErrorCode = boost::system::error_code;

tcp::endpoint resolve(net::io_context& context, const HttpOptions& options) {
  ErrorCode error;
  const net::ip::address address = net::ip::make_address(options.host, error);
  if (!error) return {address, options.port};
  tcp::resolver resolver(context);
  const auto found = resolver.resolve(options.host, std::to_string(options.port), error);
  if (error || found.empty()) {
    throw UserError("--host", fmt::format("{} has no address: {}", options.host, error.message()),
                    "give an address of this machine, as 127.0.0.1");
  }
  return found.begin()->endpoint();
}

}  // namespace

struct HttpServer::Impl {
  Impl(const HttpOptions& options, Api& api)
      : host{options, api}, acceptor(context), retry(context) {
    host.on_closed = [this] {
      const std::scoped_lock lock(mutex);
      changed.notify_all();
    };
  }

  void listen();
  void accept();
  void take(tcp::socket socket);
  /// Runs something in the thread of the connections and waits for it.
  void run_there(const std::function<void()>& action);
  /// @return whether all sessions were gone in time
  bool wait_for_sessions(std::chrono::milliseconds longest);

  SessionHost host;
  net::io_context context{1};
  tcp::acceptor acceptor;
  net::steady_timer retry;
  std::optional<net::executor_work_guard<net::io_context::executor_type>> work{
      context.get_executor()};
  std::uint16_t port = 0;
  std::mutex mutex;
  std::condition_variable changed;
  std::thread thread;
};

void HttpServer::Impl::listen() {
  const tcp::endpoint endpoint = resolve(context, host.options);
  ErrorCode error;
  const auto checked = [&] {
    if (!error) return;
    throw UserError("--port",
                    fmt::format("cannot listen on {}:{}: {}", host.options.host, host.options.port,
                                error.message()),
                    "choose another port or address");
  };
  acceptor.open(endpoint.protocol(), error);
  checked();
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  checked();
  acceptor.bind(endpoint, error);
  checked();
  acceptor.listen(net::socket_base::max_listen_connections, error);
  checked();
  port = acceptor.local_endpoint().port();
}

void HttpServer::Impl::accept() {
  acceptor.async_accept([this](ErrorCode error, tcp::socket socket) {
    if (!acceptor.is_open()) return;
    if (!error) {
      take(std::move(socket));
      return accept();
    }
    // No more files, most likely: some will be closed.
    constexpr auto PAUSE = std::chrono::milliseconds(100);
    retry.expires_after(PAUSE);
    retry.async_wait([this](ErrorCode cancelled) {
      if (!cancelled && acceptor.is_open()) accept();
    });
  });
}

void HttpServer::Impl::take(tcp::socket socket) {
  const auto most = static_cast<std::size_t>(host.options.connections);
  const std::size_t open = host.sessions.size();
  if (open >= 2 * most) return;  // closes it
  const auto session = std::make_shared<HttpSession>(std::move(socket), host);
  if (open < most) return session->start();
  session->refuse(try_later("too_many_connections", "too many connections are open already"));
}

void HttpServer::Impl::run_there(const std::function<void()>& action) {
  bool done = false;
  net::post(context, [&] {
    action();
    const std::scoped_lock lock(mutex);
    done = true;
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return done; });
}

bool HttpServer::Impl::wait_for_sessions(std::chrono::milliseconds longest) {
  std::unique_lock lock(mutex);
  return changed.wait_for(lock, longest, [this] { return host.api.connections.load() == 0; });
}

HttpServer::HttpServer(const HttpOptions& options, Api& api)
    : impl_(std::make_unique<Impl>(options, api)) {
  impl_->listen();
  impl_->accept();
  impl_->thread = std::thread([impl = impl_.get()] { impl->context.run(); });
}

HttpServer::~HttpServer() {
  shut_down(std::chrono::milliseconds(0));
}

std::uint16_t HttpServer::port() const {
  return impl_->port;
}

void HttpServer::shut_down(std::chrono::milliseconds grace) {
  constexpr auto LAST_WORDS = std::chrono::seconds(2);
  Impl& impl = *impl_;
  if (!impl.thread.joinable()) return;
  const auto for_all = [&impl](const std::function<void(HttpSession&)>& action) {
    impl.run_there([&] {
      const std::vector<HttpSession*> sessions(impl.host.sessions.begin(),
                                               impl.host.sessions.end());
      for (HttpSession* session : sessions)
        action(*session);
    });
  };
  impl.run_there([&impl] {
    ErrorCode ignored;
    impl.acceptor.close(ignored);
    impl.retry.cancel();
    impl.host.shutting_down = true;
  });
  for_all([](HttpSession& session) { session.finish(); });
  if (!impl.wait_for_sessions(grace)) {
    for_all([](HttpSession& session) { session.cancel(Cancellation::shutdown); });
    if (!impl.wait_for_sessions(LAST_WORDS))
      for_all([](HttpSession& session) { session.disconnect(); });
  }
  impl.host.live->wait_for_none();
  impl.work.reset();
  impl.thread.join();
}

}  // namespace litestage::serve
