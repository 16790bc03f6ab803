#include "app/serve_run.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <fmt/format.h>

#include "app/command.h"
#include "app/run_plan.h"
#include "app/stop_signal.h"
#include "litestage/error.h"
#include "litestage/program.h"
#include "serve/api.h"
#include "stage/conversation.h"

namespace litestage::app {
namespace {

/// A plan, the file it comes from, and the program it is for, by the name the plan knows it by.
struct NamedPlan {
  std::string path;
  std::shared_ptr<const Plan> plan;
};

std::vector<NamedPlan> load_plans(const ServeSettings& settings) {
  std::vector<NamedPlan> plans;
  for (const std::string& path : settings.plans) {
    plans.push_back({path, std::make_shared<const Plan>(load_plan(path))});
    if (plans.back().plan->model_hash != plans[0].plan->model_hash) {
      throw UserError(path, fmt::format("is for another model than {}", plans[0].path),
                      "give plans for one model");
    }
  }
  return plans;
}

std::string model_id(const ServeSettings& settings, const ModelArguments& model) {
  if (!settings.alias.empty()) return settings.alias;
  if (!model.hf_repo.empty()) return model.hf_repo;
  return model_file_name(model.model);
}

/// Whether a program's turns can be put into the model's chat template; says so when not.
bool is_usable(const Program& program, const Model& model, bool was_named) {
  try {
    const Conversation conversation(program, model.tokenizer());
    return true;
  } catch (const UserError& error) {
    if (was_named) throw;
    fmt::print(stderr, "litestage: {} is not offered: {}\n", program.name, error.what());
    return false;
  }
}

void add_offer(std::vector<serve::Offer>& offers, serve::Offer offer) {
  if (std::ranges::find(offers, offer.id, &serve::Offer::id) != offers.end()) {
    throw UserError("serve", fmt::format("two things would be called {}", offer.id),
                    "rename a program, a plan's file, or --alias");
  }
  offers.push_back(std::move(offer));
}

/// Programs by the names or paths that call them.
using Programs = std::vector<std::pair<std::string, std::shared_ptr<const Program>>>;

Programs load_programs(const ServeSettings& settings, const std::vector<NamedPlan>& plans) {
  std::vector<std::string> names =
      settings.programs.empty() ? shipped_programs() : settings.programs;
  for (const NamedPlan& plan : plans) {
    if (std::ranges::find(names, plan.plan->program) == names.end())
      names.push_back(plan.plan->program);
  }
  Programs programs;
  for (const std::string& name : names)
    programs.emplace_back(name, std::make_shared<const Program>(load_program(name)));
  return programs;
}

/// Everything that can be asked for: the bare model, programs, and plans.
std::vector<serve::Offer> make_offers(const ServeSettings& settings, const std::string& bare,
                                      const Programs& programs, const std::vector<NamedPlan>& plans,
                                      const Model& model) {
  std::vector<serve::Offer> offers;
  add_offer(offers, {bare, nullptr, nullptr});
  for (const auto& [name, program] : programs) {
    if (!is_usable(*program, model, !settings.programs.empty())) continue;
    add_offer(offers, {program->name, program, nullptr});
    for (const NamedPlan& plan : plans) {
      if (plan.plan->program != name) continue;
      Program called = *program;
      called.name = name;  // plans know a program by what it was called, maybe a path
      warn_about_plan(*plan.plan, &model, called, plan.path, settings.decoder.threads);
      add_offer(offers, {serve::plan_id(program->name, plan.path), program, plan.plan});
    }
  }
  return offers;
}

/// KV cells for all requests at a time, where the flags do not say how many.
int usual_context(const Model& model, int parallel) {
  constexpr int EACH = 4096;
  return std::min(EACH * parallel, model.trained_context());
}

serve::ModelLoader make_loader(const ServeSettings& settings) {
  const std::vector<NamedPlan> plans = load_plans(settings);
  ModelArguments arguments = settings.model;
  if (!plans.empty() && !settings.model_named) arguments.model = plans[0].plan->model_name;
  const Programs programs = load_programs(settings, plans);
  return [settings, plans, arguments, programs](const std::atomic<bool>& stop) {
    ModelOptions options = arguments.options;
    options.progress = [&stop](float /*part*/) { return !stop.load(); };
    serve::ServedModel served;
    served.model = Model::load(find_model(arguments, &stop), options);
    served.preview = find_head_preview(*served.model, arguments);
    served.decoder = settings.decoder;
    if (served.decoder.context == 0)
      served.decoder.context = usual_context(*served.model, settings.engine.workers);
    served.offers =
        make_offers(settings, model_id(settings, arguments), programs, plans, *served.model);
    return served;
  };
}

serve::AccessRules access_rules(const ServeSettings& settings) {
  serve::AccessRules rules{settings.api_key, settings.cors_origins, settings.http.host,
                           serve::is_loopback(settings.http.host)};
  if (!rules.loopback && rules.api_key.empty()) {
    throw UserError("--host",
                    fmt::format("{} can be reached from other machines", settings.http.host),
                    "give an --api-key, or listen on 127.0.0.1");
  }
  return rules;
}

/// Of glibc's many heaps, one for all threads: each of its own keeps what the largest answers of
/// its connections took, so that a server's memory would grow for thousands of requests.
void share_one_heap() {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 1);
#endif
}

}  // namespace

std::string model_file_name(const std::string& model) {
  const std::filesystem::path path = model;
  return path.extension() == ".gguf" ? path.stem().string() : path.filename().string();
}

int serve_model(const ServeSettings& settings) {
  share_one_heap();
  const serve::AccessRules rules = access_rules(settings);
  serve::ModelLoader loader = make_loader(settings);
  const std::atomic<bool>& stop = catch_stop_signals();
  serve::Engine engine(std::move(loader), settings.engine, [&engine] {
    if (const serve::ServedModel* served = engine.served()) {
      fmt::print(stderr, "litestage: ready: {} and {} programs and plans, {} tokens of context\n",
                 served->bare().id, served->offers.size() - 1, served->decoder.context);
    }
  });
  serve::RequestLimits limits;
  limits.max_tokens = settings.max_tokens;
  serve::Api api(engine, rules, limits);
  serve::HttpServer server(settings.http, api);
  const bool v6 = settings.http.host.find(':') != std::string::npos;
  fmt::print(stderr, "litestage: listening on http://{}{}{}:{}; loading the model\n", v6 ? "[" : "",
             settings.http.host, v6 ? "]" : "", server.port());
  constexpr auto LOOK = std::chrono::milliseconds(50);
  while (!stop.load() && engine.failure() == nullptr)
    std::this_thread::sleep_for(LOOK);
  if (stop.load()) fmt::print(stderr, "litestage: ending\n");
  server.shut_down(std::chrono::seconds(settings.grace_seconds));
  if (const std::exception_ptr failure = engine.failure(); failure && !stop.load())
    std::rethrow_exception(failure);
  return EXIT_FINE;
}

}  // namespace litestage::app
