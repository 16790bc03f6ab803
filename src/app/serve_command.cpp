#include <CLI/CLI.hpp>
#include <chrono>
#include <limits>
#include <memory>
#include <string>

#include "app/choice_option.h"
#include "app/command.h"
#include "app/serve_run.h"

namespace litestage::app {
namespace {

constexpr int MOST_FOR_SERVE = 1 << 20;

void add_address_options(CLI::App& verb, ServeSettings& settings) {
  const std::string group = "Server";
  verb.add_option("--host", settings.http.host,
                  "Address to listen on; one that other machines reach needs --api-key")
      ->envname("LITESTAGE_HOST")
      ->type_name("ADDRESS")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--port", settings.http.port, "Port to listen on; 0: any free one")
      ->envname("LITESTAGE_PORT")
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--api-key", settings.api_key,
                  "Key that requests must carry; the environment hides it from other users")
      ->envname("LITESTAGE_API_KEY")
      ->type_name("KEY")
      ->group(group);
  verb.add_option(
          "--cors-origin", settings.cors_origins,
          "Origin whose pages may ask, as http://localhost:3000, or of a proxy in front; once "
          "for each")
      ->type_name("ORIGIN")
      ->allow_extra_args(false)
      ->group(group);
  verb.add_option("-a,--alias", settings.alias, "Name of the model itself in /v1/models")
      ->envname("LITESTAGE_ALIAS")
      ->type_name("NAME")
      ->group(group);
  verb.add_option("--program", settings.programs,
                  "Program to offer: a shipped one or a TOML file, once for each; else all "
                  "shipped ones")
      ->type_name("NAME|PATH")
      ->allow_extra_args(false)
      ->group(group);
  verb.add_option("--plan", settings.plans,
                  "Plan to offer, as PROGRAM@FILE; once for each. Also names the model unless it "
                  "is given")
      ->type_name("PATH")
      ->allow_extra_args(false)
      ->group(group);
}

/// Declares a limit in seconds.
void add_seconds(CLI::App& verb, const std::string& name, std::chrono::milliseconds& value,
                 const std::string& help) {
  constexpr int MS = 1000;
  constexpr int DAY = 86'400;
  verb.add_option_function<int>(
          name, [&value](int seconds) { value = std::chrono::seconds(seconds); }, help)
      ->check(within(1, DAY))
      ->type_name("SECONDS")
      ->default_str(std::to_string(value.count() / MS))
      ->group("Limits");
}

void add_limit_options(CLI::App& verb, ServeSettings& settings) {
  const std::string group = "Limits";
  verb.add_option("--parallel", settings.engine.workers,
                  "Requests answered at the same time (also -np)")
      ->envname("LITESTAGE_PARALLEL")
      ->check(within(1, 64))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--queue", settings.engine.longest_queue,
                  "Requests that may wait; more are answered with 503")
      ->envname("LITESTAGE_QUEUE")
      ->check(within(0, MOST_FOR_SERVE))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--max-tokens", settings.max_tokens, "Tokens a request may ask for at most")
      ->envname("LITESTAGE_MAX_TOKENS")
      ->check(within(1, MOST_FOR_SERVE))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--max-connections", settings.http.connections, "Open connections at most")
      ->check(within(1, MOST_FOR_SERVE))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--max-body", settings.http.body_bytes, "Bytes of a request's body at most")
      ->check(within(1, 1 << 30))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  add_seconds(verb, "--read-time", settings.http.read_time,
              "For a client to send a request, and between two of a connection");
  add_seconds(verb, "--write-time", settings.http.write_time,
              "For a client to take a piece of an answer");
  add_seconds(verb, "--answer-time", settings.http.answer_time,
              "From a request to the end of its answer");
  verb.add_option("--grace", settings.grace_seconds,
                  "Seconds that answers may go on when the server is to end")
      ->check(within(0, 3600))
      ->type_name("SECONDS")
      ->capture_default_str()
      ->group(group);
}

}  // namespace

void add_serve_command(CLI::App& app, Action& action) {
  auto settings = std::make_shared<ServeSettings>();
  CLI::App* verb = app.add_subcommand("serve", "Answer over HTTP, as OpenAI's API does");
  add_address_options(*verb, *settings);
  add_limit_options(*verb, *settings);
  add_model_options(*verb, settings->model);
  add_decoder_options(*verb, settings->decoder, ContextOption::shared);
  verb->footer(
      "Examples:\n"
      "  litestage serve -m qwen2.5-coder-1.5b\n"
      "  litestage serve --plan plan.json --parallel 2 --port 8081\n"
      "  LITESTAGE_API_KEY=secret litestage serve --host 0.0.0.0\n"
      "  curl http://127.0.0.1:8080/v1/stages -d '{\"question\": \"Which is heavier? (A) iron (B) "
      "wool\"}'");
  const CLI::Option* model = verb->get_option("--model");
  const CLI::Option* repository = verb->get_option("--hf-repo");
  verb->callback([settings, model, repository, &action] {
    settings->model_named = model->count() + repository->count() > 0;
    action = [settings] { return serve_model(*settings); };
  });
}

}  // namespace litestage::app
