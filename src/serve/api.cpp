#include "serve/api.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/stage_json.h"
#include "serve/api_error.h"
#include "serve/page.h"
#include "serve/stage_answer.h"
#include "serve/text_answer.h"
#include "serve/tokens_answer.h"

namespace litestage::serve {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr const char* MODELS = "/v1/models";

/// Part of a path with its %XX read; what is no such pair stays as it is.
std::string percent_decoded(std::string_view part) {
  std::string text;
  for (std::size_t i = 0; i < part.size(); ++i) {
    unsigned char byte = 0;
    const char* digits = part.data() + i + 1;
    const bool has_digits = part[i] == '%' && i + 2 < part.size();
    constexpr int HEXADECIMAL = 16;
    if (has_digits && std::from_chars(digits, digits + 2, byte, HEXADECIMAL).ptr == digits + 2) {
      text += static_cast<char>(byte);
      i += 2;
    } else {
      text += part[i];
    }
  }
  return text;
}

OrderedJson offer_json(const ServedModel& served, const Offer& offer, std::int64_t created) {
  OrderedJson details = {{"kind", offer.plan      ? "plan"
                                  : offer.program ? "program"
                                                  : "model"},
                         {"architecture", served.model->architecture()},
                         {"context", served.decoder.context}};
  if (offer.program) {
    details["program"] = offer.program->name;
    details["description"] = offer.program->description;
    details["stages"] = OrderedJson::array();
    for (const Stage& stage : offer.program->stages)
      details["stages"].push_back(stage.name);
  }
  return {{"id", offer.id},
          {"object", "model"},
          {"created", created},
          {"owned_by", "litestage"},
          {"litestage", std::move(details)}};
}

/// The answer to a browser that asks whether a page may ask.
Reply preflight_reply() {
  return {.status = NO_CONTENT,
          .headers = {{"Access-Control-Allow-Methods", "GET, POST"},
                      {"Access-Control-Allow-Headers", "Authorization, Content-Type"},
                      {"Access-Control-Max-Age", "600"}}};
}

}  // namespace

Api::Api(Engine& engine, AccessRules access, const RequestLimits& limits)
    : engine_(engine), access_(std::move(access)), service_{engine, metrics_, limits} {}

const std::vector<Api::Route>& Api::routes() {
  static const std::vector<Route> ROUTES = {
      {"GET", "/", true, &Api::answer_root},
      {"GET", "/favicon.ico", true, &Api::answer_icon},
      {"GET", "/health", true, &Api::answer_health},
      {"GET", "/metrics", false, &Api::answer_metrics},
      {"GET", MODELS, false, &Api::answer_models},
      {"POST", "/v1/chat/completions", false, &Api::answer_chat},
      {"POST", "/v1/completions", false, &Api::answer_completions},
      {"POST", "/v1/stages", false, &Api::answer_stages},
      {"POST", "/tokenize", false, &Api::answer_tokenize},
      {"POST", "/detokenize", false, &Api::answer_detokenize},
      {"GET", "/tokenizer_info", false, &Api::answer_tokenizer_info},
  };
  return ROUTES;
}

/// @throws ApiError (404, 405)
const Api::Route& Api::find_route(const Request& request) {
  constexpr int NOT_FOUND = 404;
  constexpr int WRONG_METHOD = 405;
  // One model of the list has a path of its own.
  const bool one_model = request.path.starts_with(std::string(MODELS) + "/");
  const std::string path = one_model ? MODELS : request.path;
  const auto found = std::ranges::find(routes(), path, &Route::path);
  if (found == routes().end()) {
    throw ApiError(NOT_FOUND, "invalid_request_error", "unknown_url",
                   "there is nothing at this address; docs/serving.md lists what there is");
  }
  const bool head = request.method == "HEAD" && found->method == "GET";
  if (request.method != found->method && !head) {
    throw ApiError(WRONG_METHOD, "invalid_request_error", "method_not_allowed",
                   fmt::format("{} is asked for by {}", found->path, found->method))
        .with_header("Allow", found->method == "GET" ? "GET, HEAD" : found->method);
  }
  return *found;
}

void Api::handle(const Request& request, const std::shared_ptr<Exchange>& exchange) {
  const auto count_for = [&](const std::string& route) {
    exchange->on_status([this, route](int status) { metrics_.count_request(route, status); });
  };
  count_for("none");
  try {
    exchange->allowed_origin = allowed_origin(request, access_);
    check_page(request, access_);
    if (request.method == "OPTIONS" && !exchange->allowed_origin.empty())
      return exchange->reply(preflight_reply());
    const Route& route = find_route(request);
    count_for(route.path);
    if (!route.open) check_key(request, access_);
    (this->*route.answer)(request, exchange);
  } catch (const UserError& error) {
    exchange->fail(error);
  }
}

Reply Api::refuse(const UserError& error) {
  Reply reply = error_reply(error);
  metrics_.count_request("none", reply.status);
  return reply;
}

/// @throws ApiError (503) while the model loads
const ServedModel& Api::served() const {
  const ServedModel* served = engine_.served();
  if (served == nullptr) throw try_later("model_loading", "the model is still being loaded");
  return *served;
}

void Api::answer_root(const Request& /*request*/, const std::shared_ptr<Exchange>& exchange) {
  exchange->reply({.body = stages_page(),
                   .content_type = "text/html; charset=utf-8",
                   .headers = {{"Content-Security-Policy", "frame-ancestors 'none'"}}});
}

/// Browsers ask for it with every page; there is none.
void Api::answer_icon(const Request& /*request*/, const std::shared_ptr<Exchange>& exchange) {
  exchange->reply({.status = NO_CONTENT});
}

void Api::answer_health(const Request& /*request*/, const std::shared_ptr<Exchange>& exchange) {
  served();
  exchange->reply({.body = json_line({{"status", "ok"}}) + "\n"});
}

void Api::answer_metrics(const Request& /*request*/, const std::shared_ptr<Exchange>& exchange) {
  const Engine::Load load = engine_.load();
  exchange->reply(
      {.body = metrics_.text({static_cast<double>(load.queued), static_cast<double>(load.running),
                              static_cast<double>(connections.load()), engine_.served() != nullptr,
                              static_cast<double>(load.pool.batches),
                              static_cast<double>(load.pool.calls)}),
       .content_type = "text/plain; version=0.0.4; charset=utf-8"});
}

void Api::answer_models(const Request& request, const std::shared_ptr<Exchange>& exchange) {
  static const std::int64_t STARTED = unix_now();
  const ServedModel& all = served();
  if (request.path != MODELS) {
    const std::string id =
        percent_decoded(std::string_view(request.path).substr(std::string_view(MODELS).size() + 1));
    return exchange->reply({.body = json_line(offer_json(all, find_offer(all, id), STARTED))});
  }
  OrderedJson list = OrderedJson::array();
  for (const Offer& offer : all.offers)
    list.push_back(offer_json(all, offer, STARTED));
  exchange->reply({.body = json_line({{"object", "list"}, {"data", std::move(list)}})});
}

void Api::answer_chat(const Request& request, const std::shared_ptr<Exchange>& exchange) {
  const ServedModel& all = served();
  ChatRequest chat = read_chat_request(request.body, service_.limits);
  const Offer& offer = find_offer(all, chat.model);
  engine_.submit(exchange, [this, &offer, chat = std::move(chat)](Worker& worker, const Job& job) {
    if (offer.program) {
      answer_chat_in_stages(service_, worker, job, offer, chat);
    } else {
      serve::answer_chat(service_, worker, job, offer, chat);
    }
  });
}

void Api::answer_completions(const Request& request, const std::shared_ptr<Exchange>& exchange) {
  const ServedModel& all = served();
  CompletionRequest completion = read_completion_request(request.body, service_.limits);
  const Offer& offer = find_offer(all, completion.model);
  if (offer.program)
    throw bad_request("unsupported_model",
                      "programs answer chats: ask /v1/chat/completions or /v1/stages", "model");
  engine_.submit(
      exchange, [this, &offer, completion = std::move(completion)](Worker& worker, const Job& job) {
        serve::answer_completions(service_, worker, job, offer, completion);
      });
}

void Api::answer_stages(const Request& request, const std::shared_ptr<Exchange>& exchange) {
  const ServedModel& all = served();
  StagesRequest stages = read_stages_request(request.body);
  std::vector<Arm> arms = stage_arms(all, stages);
  engine_.submit(exchange, [this, arms = std::move(arms), stages = std::move(stages)](
                               Worker& worker, const Job& job) {
    serve::answer_stages(service_, worker, job, arms, stages);
  });
}

void Api::answer_tokenize(const Request& request, const std::shared_ptr<Exchange>& exchange) {
  const ServedModel& all = served();
  exchange->reply(tokens_reply(*all.model, read_tokenize_request(request.body, service_.limits)));
}

void Api::answer_detokenize(const Request& request, const std::shared_ptr<Exchange>& exchange) {
  const ServedModel& all = served();
  exchange->reply(text_reply(*all.model, read_detokenize_request(request.body, service_.limits)));
}

void Api::answer_tokenizer_info(const Request& /*request*/,
                                const std::shared_ptr<Exchange>& exchange) {
  exchange->reply(tokenizer_reply(*served().model));
}

}  // namespace litestage::serve
