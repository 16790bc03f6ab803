#include "support/sample_plans.h"

#include <rapidcheck.h>

#include <limits>
#include <string>

namespace litestage::test {
namespace {

std::string hex(std::size_t digits) {
  return *rc::gen::container<std::string>(digits, rc::gen::element('0', '9', 'a', 'f', '7'));
}

/// A text of characters that JSON must escape, or that take several bytes; none that the writer
/// changes.
std::string any_text() {
  std::string text;
  for (const std::string& piece :
       *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
           "a", "Z", "0", " ", "\"", "\\", "/", "{{", "ä", "語", "😀")))
    text += piece;
  return text;
}

double any_number(double low, double high) {
  constexpr int STEPS = 1 << 20;
  return low + (high - low) * *rc::gen::inRange(0, STEPS + 1) / STEPS;
}

float any_scale() {
  return *rc::gen::element(1.0F, 1.0F, 1.04F, 0.5F, 1.0F / 3.0F, 1.0000001F, 12345.678F, 1e-7F,
                           1e-40F, 1e30F);
}

StageSettings any_settings(int layers) {
  StageSettings settings;
  const int items = *rc::gen::inRange(0, 2 * layers + 1);
  for (int i = 0; i < items; ++i) {
    const auto sublayer = *rc::gen::element(Sublayer::attention, Sublayer::ffn);
    const int layer = *rc::gen::inRange(0, layers);
    const int phases = *rc::gen::inRange(1, 4);
    if ((phases & 1) != 0 || sublayer == Sublayer::attention)
      settings.decode.skip(sublayer, layer, any_scale());
    if ((phases & 2) != 0) settings.prefill.skip(sublayer, layer, any_scale());
  }
  ExitRule& rule = settings.exit;
  rule.confidence =
      *rc::gen::element(ConfidenceKind::largest_logit, ConfidenceKind::largest_probability,
                        ConfidenceKind::negative_entropy);
  rule.window = *rc::gen::inRange(1, 300);
  if (*rc::gen::arbitrary<bool>()) rule.threshold = any_number(-50, 50);
  rule.rollback = *rc::gen::arbitrary<bool>();
  rule.answer_complete = *rc::gen::arbitrary<bool>();
  rule.repetition = *rc::gen::arbitrary<bool>();
  rule.max_tokens = *rc::gen::inRange(0, 32769);
  return settings;
}

MeasuredAccuracy any_accuracy() {
  MeasuredAccuracy accuracy;
  accuracy.questions = *rc::gen::inRange(1, 2000);
  accuracy.full_correct = *rc::gen::inRange(0, accuracy.questions + 1);
  accuracy.lost = *rc::gen::inRange(0, accuracy.full_correct + 1);
  accuracy.gained = *rc::gen::inRange(0, accuracy.questions - accuracy.full_correct + 1);
  accuracy.plan_correct = accuracy.full_correct - accuracy.lost + accuracy.gained;
  accuracy.loss_bound = any_number(-100, 100);
  accuracy.bound_level = any_number(0, 1);
  return accuracy;
}

MeasuredLatency any_latency() {
  MeasuredLatency latency;
  latency.questions = *rc::gen::inRange(1, 2000);
  latency.repeats = *rc::gen::inRange(1, 100);
  latency.full_ms = any_number(0.001, 1e6);
  latency.plan_ms = any_number(0.001, 1e6);
  latency.speedup = latency.full_ms / latency.plan_ms;
  latency.speedup_low = any_number(0, latency.speedup);
  latency.speedup_high = *rc::gen::element(std::numeric_limits<double>::infinity(),
                                           2 * latency.speedup, latency.speedup, 1e300);
  latency.full_tokens = any_number(0, 5000);
  latency.plan_tokens = any_number(0, 5000);
  return latency;
}

PlanOrigin any_origin() {
  PlanOrigin origin;
  origin.method = *rc::gen::element<std::string>("latency", "paper", "hand");
  origin.max_loss = any_number(0, 100);
  origin.litestage_version = any_text();
  origin.ggml_version = any_text();
  origin.machine = any_text();
  origin.threads = *rc::gen::inRange(0, 1025);
  origin.head = any_text();
  origin.seed = *rc::gen::arbitrary<std::uint32_t>();
  origin.question_set = any_text();
  origin.created = *rc::gen::element<std::string>("", "2026-01-31T12:00:00Z");
  for (int i = *rc::gen::inRange(0, 20); i > 0; --i)
    origin.questions.push_back(hex(16));
  return origin;
}

}  // namespace

Plan sample_plan() {
  Plan plan;
  plan.model_name = "Qwen2.5 Coder 0.5B Instruct";
  plan.model_hash = std::string(60, 'a') + "0123";
  plan.layers = 24;
  plan.program = "plan-solve";
  plan.program_hash = std::string(60, 'b') + "4567";
  plan.kv_reuse = KvReuse::whole;
  StageSettings first;
  first.prefill = SublayerMask::parse("f10,f11*1.5", plan.layers);
  first.decode = SublayerMask::parse("f10-12,a5*1.04", plan.layers);
  first.exit = {ConfidenceKind::largest_probability, 16, 0.25, false, true, true, 96};
  StageSettings second = StageSettings::with_mask(SublayerMask::parse("a3", plan.layers));
  plan.stages = {{"plan", first}, {"solve", second}};
  plan.early = {0.75, 2, true};
  plan.accuracy = MeasuredAccuracy{100, 60, 58, 5, 3, 5.5, 0.9};
  plan.latency = MeasuredLatency{30, 3, 2600, 2000, 1.3, 1.25, 1.35, 85.5, 80.25};
  plan.origin = {"latency",
                 2,
                 "0.0.1",
                 "0.0.2",
                 "A CPU",
                 1,
                 "preview of 256 dimensions",
                 7,
                 "demo.jsonl",
                 {"0123456789abcdef", "fedcba9876543210"},
                 "2026-01-31T12:00:00Z"};
  return plan;
}

Plan any_plan() {
  Plan plan;
  plan.model_name = any_text();
  plan.model_hash = hex(64);
  plan.layers = *rc::gen::inRange(1, 60);
  plan.program = any_text();
  plan.program_hash = hex(64);
  plan.kv_reuse = *rc::gen::element(KvReuse::exact, KvReuse::whole);
  const int stages = *rc::gen::inRange(1, 4);
  for (int i = 0; i < stages; ++i)
    plan.stages.emplace_back("stage" + std::to_string(i), any_settings(plan.layers));
  if (*rc::gen::arbitrary<bool>()) plan.early.leave_at = any_number(0, 1);
  if (*rc::gen::arbitrary<bool>()) plan.early.most_branches = *rc::gen::inRange(0, 27);
  if (plan.early.any()) plan.early.ask_first = *rc::gen::arbitrary<bool>();
  if (*rc::gen::arbitrary<bool>()) plan.accuracy = any_accuracy();
  if (*rc::gen::arbitrary<bool>()) plan.latency = any_latency();
  plan.origin = any_origin();
  return plan;
}

}  // namespace litestage::test
