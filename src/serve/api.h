#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "serve/access.h"
#include "serve/exchange.h"
#include "serve/service.h"

namespace litestage::serve {

/// The routes: who may ask, what is asked, and who answers. Knows nothing of sockets.
class Api {
 public:
  Api(Engine& engine, AccessRules access, const RequestLimits& limits);

  /// Answers a request, now or later; called by the thread of the connections.
  void handle(const Request& request, const std::shared_ptr<Exchange>& exchange);

  /// The answer to what never became a request, counted.
  Reply refuse(const UserError& error);

  /// Open connections, for /metrics; kept by the server.
  std::atomic<int> connections{0};

 private:
  struct Route {
    std::string method;
    std::string path;
    bool open = false;  ///< asks for no key
    void (Api::*answer)(const Request&, const std::shared_ptr<Exchange>&) = nullptr;
  };
  static const std::vector<Route>& routes();
  static const Route& find_route(const Request& request);
  const ServedModel& served() const;

  void answer_root(const Request& request, const std::shared_ptr<Exchange>& exchange);
  void answer_icon(const Request& request, const std::shared_ptr<Exchange>& exchange);
  void answer_health(const Request& request, const std::shared_ptr<Exchange>& exchange);
  void answer_metrics(const Request& request, const std::shared_ptr<Exchange>& exchange);
  void answer_models(const Request& request, const std::shared_ptr<Exchange>& exchange);
  void answer_chat(const Request& request, const std::shared_ptr<Exchange>& exchange);
  void answer_completions(const Request& request, const std::shared_ptr<Exchange>& exchange);
  void answer_stages(const Request& request, const std::shared_ptr<Exchange>& exchange);
  void answer_tokenizer_info(const Request& request, const std::shared_ptr<Exchange>& exchange);
  void answer_detokenize(const Request& request, const std::shared_ptr<Exchange>& exchange);
  void answer_tokenize(const Request& request, const std::shared_ptr<Exchange>& exchange);

  Engine& engine_;
  AccessRules access_;
  Metrics metrics_;
  Service service_;
};

}  // namespace litestage::serve
