#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "serve/api.h"
#include "serve/http_server.h"
#include "support/decoder_tools.h"
#include "support/http_client.h"

namespace litestage::test {

/// How a tiny model is served; the defaults suit most tests.
struct ServedTinyOptions {
  int context = 1024;
  serve::HttpOptions http;
  serve::EngineOptions engine{.workers = 2, .longest_queue = 8};
  serve::RequestLimits limits;
  serve::AccessRules access{.api_key = {}, .cors_origins = {}, .host = "127.0.0.1"};
  /// Called in the loader's thread before the model is there.
  std::function<void()> before_load;
};

/// A tiny random model behind a server on a free port of this machine: as itself ("tiny"), with the
/// program of calibration.h ("three": recall, analyze, answer), and by the plan "three@small",
/// which leaves one FFN out and writes two tokens a text.
class ServedTiny {
 public:
  explicit ServedTiny(ServedTinyOptions options = {});

  std::uint16_t port() const { return server_->port(); }
  const Model& model() const { return *tiny_.model(); }
  std::shared_ptr<const Model> shared_model() const { return tiny_.model(); }
  const DecoderOptions& decoder_options() const { return decoder_; }
  serve::HttpServer& server() { return *server_; }
  serve::Engine& engine() { return *engine_; }
  void wait_until_ready() const;

  HttpAnswer get(const std::string& path, const HttpHeaders& headers = {}) const {
    return ask(port(), "GET", path, {}, headers);
  }
  HttpAnswer post(const std::string& path, const nlohmann::json& body,
                  const HttpHeaders& headers = {}) const {
    return ask(port(), "POST", path, body.dump(), headers);
  }
  /// A line of /metrics: its number, 0 when there is none.
  double metric(const std::string& name) const;
  /// Waits until it has at least this value.
  void wait_for_metric(const std::string& name, double value) const;

 private:
  serve::ServedModel load(const std::function<void()>& before) const;

  LoadedTiny tiny_;
  DecoderOptions decoder_;
  std::unique_ptr<serve::Engine> engine_;
  std::unique_ptr<serve::Api> api_;
  std::unique_ptr<serve::HttpServer> server_;
};

/// A chat about a question with two options.
nlohmann::json chat_body(const std::string& model);

}  // namespace litestage::test
