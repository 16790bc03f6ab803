#include "support/served_tiny.h"

#include <algorithm>
#include <chrono>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "litestage/sublayer_mask.h"
#include "support/calibration.h"

namespace litestage::test {
namespace {

TinyModel tiny_with_template(int context) {
  TinyOptions options;
  options.context = context;
  TinyModel model(options);
  // The end of text is never the likeliest token: texts are as long as tests want them.
  constexpr std::size_t END = 2;
  const std::size_t row = static_cast<std::size_t>(options.embd) * sizeof(float);
  std::vector<std::uint8_t>& head = model.tensor("output.weight").data;
  std::fill_n(head.begin() + static_cast<std::ptrdiff_t>(END * row), row, std::uint8_t{0});
  gguf_set_val_str(model.keys(), "tokenizer.chat_template",
                   "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}");
  return model;
}

}  // namespace

ServedTiny::ServedTiny(ServedTinyOptions options)
    : tiny_(tiny_with_template(options.context)), decoder_(small_decoder()) {
  decoder_.context = options.context;
  decoder_.kv_type = KvType::f32;  // so that batches of other sizes compute nearly the same
  const bool wait = !options.before_load;
  engine_ = std::make_unique<serve::Engine>(
      [this, before = std::move(options.before_load)](const std::atomic<bool>& /*stop*/) {
        return load(before);
      },
      options.engine, [] {});
  api_ = std::make_unique<serve::Api>(*engine_, options.access, options.limits);
  options.http.port = 0;
  server_ = std::make_unique<serve::HttpServer>(options.http, *api_);
  if (wait) wait_until_ready();
}

serve::ServedModel ServedTiny::load(const std::function<void()>& before) const {
  if (before) before();
  const auto program =
      std::make_shared<const Program>(parse_program(calibration_program(), "three.toml"));
  auto plan = std::make_shared<Plan>();
  plan->program = program->name;
  const SublayerMask mask = SublayerMask::parse("f1", model().layer_count(), "test");
  for (const Stage& stage : program->stages) {
    StageSettings settings = StageSettings::with_mask(mask);
    settings.exit.max_tokens = 2;
    plan->stages.emplace_back(stage.name, settings);
  }
  auto early = std::make_shared<Program>(calibration_program_with_early_answer());
  early->name = "early";
  auto sure = std::make_shared<Plan>(*plan);
  sure->program = early->name;
  sure->early.leave_at = 0;  // any early answer is taken
  return {.model = tiny_.model(),
          .preview = nullptr,
          .decoder = decoder_,
          .offers = {{"tiny", nullptr, nullptr},
                     {"three", program, nullptr},
                     {"three@small", program, plan},
                     {"early", early, nullptr},
                     {"early@sure", early, sure}}};
}

void ServedTiny::wait_until_ready() const {
  while (engine_->served() == nullptr) {
    if (engine_->failure()) std::rethrow_exception(engine_->failure());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

double ServedTiny::metric(const std::string& name) const {
  std::istringstream lines(get("/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + " ")) return std::stod(line.substr(name.size() + 1));
  }
  return 0;
}

void ServedTiny::wait_for_metric(const std::string& name, double value) const {
  while (metric(name) < value)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

nlohmann::json chat_body(const std::string& model) {
  return {{"model", model},
          {"messages",
           {{{"role", "system"}, {"content", "Be brief."}},
            {{"role", "user"}, {"content", "Which is heavier? (A) iron (B) wool"}}}},
          {"temperature", 0},
          {"max_tokens", 8}};
}

}  // namespace litestage::test
