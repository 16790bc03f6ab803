#include "app/plan_view.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace litestage::app {
namespace {

constexpr int PLAN_LABEL_WIDTH = 10;
constexpr int LAYERS_A_ROW = 60;  // fits a terminal of 80 columns

std::string line(const Style& style, std::string_view label, const std::string& text) {
  return fmt::format("{}{:<{}}{} {}\n", style.quiet, label, PLAN_LABEL_WIDTH, style.off, text);
}

std::string_view short_hash(std::string_view hash) {
  constexpr std::size_t DIGITS = 12;
  return hash.substr(0, DIGITS);
}

constexpr char KEPT = '.';
constexpr char READING = 'r';
constexpr char WRITING = 'w';
constexpr char BOTH = '#';

char cell(const StageSettings& settings, Sublayer sublayer, int layer) {
  const bool reading = settings.prefill.skips(sublayer, layer);
  const bool writing = settings.decode.skips(sublayer, layer);
  return reading && writing ? BOTH : reading ? READING : writing ? WRITING : KEPT;
}

/// Layer numbers above the columns: tens on one line where a ten begins, ones below.
std::string ruler(int first, int last, const Style& style) {
  std::string tens;
  std::string ones;
  for (int layer = first; layer < last; ++layer) {
    if (layer % 10 == 0) tens += fmt::format("{:<10}", layer);
    ones += static_cast<char>('0' + layer % 10);
  }
  while (!tens.empty() && tens.back() == ' ')
    tens.pop_back();
  return line(style, "layer", tens) + line(style, "", ones);
}

/// Layers from left to right, attention above FFN.
std::string grid(const StageSettings& settings, int layers, const Style& style) {
  std::string text;
  for (int first = 0; first < layers; first += LAYERS_A_ROW) {
    const int last = std::min(layers, first + LAYERS_A_ROW);
    text += ruler(first, last, style);
    for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
      std::string cells;
      for (int layer = first; layer < last; ++layer)
        cells += cell(settings, sublayer, layer);
      text += line(style, sublayer == Sublayer::attention ? "attention" : "FFN", cells);
    }
  }
  return text;
}

std::string format_stage(const std::string& name, const StageSettings& settings, int layers,
                         const Style& style) {
  std::string text = fmt::format(
      "\n{}Stage {}{}: of {} sublayers {} are left out while reading, {} while writing\n",
      style.stage, name, style.off, 2 * layers, settings.prefill.skipped_count(),
      settings.decode.skipped_count());
  text += grid(settings, layers, style);
  text += line(style, "reading", settings.prefill.to_string());
  text += line(style, "writing", settings.decode.to_string());
  text += line(style, "ends", describe_exit(settings.exit));
  return text;
}

/// A text that the plan may leave empty.
std::string or_unknown(const std::string& text) {
  return text.empty() ? "not known" : text;
}

std::string describe_method(const PlanOrigin& origin) {
  if (origin.method == "hand") return "by hand";
  std::string text = fmt::format(
      "by method '{}', {:g} points of accuracy allowed to be lost, "
      "seed {}",
      origin.method, origin.max_loss, origin.seed);
  if (!origin.questions.empty()) {
    text += fmt::format(", on {} questions of {}", origin.questions.size(),
                        or_unknown(origin.question_set));
  }
  return text;
}

std::string format_origin(const PlanOrigin& origin, const Style& style) {
  std::string text = line(style, "made", describe_method(origin));
  if (!origin.created.empty()) text += line(style, "", origin.created);
  text += line(style, "with",
               fmt::format("litestage {}, ggml {}", or_unknown(origin.litestage_version),
                           or_unknown(origin.ggml_version)));
  std::string machine = or_unknown(origin.machine);
  if (origin.threads > 0)
    machine += fmt::format(", {} thread{}", origin.threads, origin.threads == 1 ? "" : "s");
  if (!origin.head.empty()) machine += fmt::format(", head: {}", origin.head);
  return text + line(style, "on", machine);
}

}  // namespace

std::string describe_exit(const ExitRule& rule) {
  std::string text;
  const auto add = [&text](const std::string& words) {
    text += (text.empty() ? "" : "; ") + words;
  };
  if (rule.watches_confidence()) {
    add(fmt::format("when the {} of the last {} tokens is at most {:g} on average{}",
                    rule.confidence == ConfidenceKind::largest_logit         ? "largest logit"
                    : rule.confidence == ConfidenceKind::largest_probability ? "largest probability"
                                                                             : "negative entropy",
                    rule.window, rule.threshold,
                    rule.rollback ? ", cut back to its last whole sentence" : ""));
  }
  if (rule.answer_complete) add("as soon as its answer stands there");
  if (rule.repetition) add("when it goes round in circles");
  if (rule.max_tokens > 0)
    add(fmt::format("after {} token{}", rule.max_tokens, rule.max_tokens == 1 ? "" : "s"));
  return text.empty() ? "as the program says" : "as the program says, or " + text;
}

std::string describe_early_answers(const EarlyAnswers& early) {
  std::string text;
  if (early.leave_at <= 1)
    text = fmt::format("taken where one option leads by {:g} or more{}", early.leave_at,
                       early.ask_first ? ", before the first stage too" : "");
  if (early.most_branches > 0) {
    text += fmt::format("{}branches for the {} likeliest option{} alone", text.empty() ? "" : "; ",
                        early.most_branches, early.most_branches == 1 ? "" : "s");
  }
  return text.empty() ? "never asked for" : text;
}

std::string describe_accuracy(const MeasuredAccuracy& accuracy) {
  return fmt::format(
      "{} of {} right, {} with the full model ({} lost, {} gained): loss {:.1f} "
      "points, at most {:.1f} with {:g} % confidence",
      accuracy.plan_correct, accuracy.questions, accuracy.full_correct, accuracy.lost,
      accuracy.gained, accuracy.loss(), accuracy.loss_bound, 100 * accuracy.bound_level);
}

std::string describe_latency(const MeasuredLatency& latency) {
  const std::string interval = std::isinf(latency.speedup_high)
                                   ? "interval not known"
                                   : fmt::format("95 % interval {:.2f} to {:.2f}",
                                                 latency.speedup_low, latency.speedup_high);
  return fmt::format(
      "{:.2f}x as fast ({}): {:.0f} ms and {:.1f} tokens a question, full model "
      "{:.0f} ms and {:.1f}; {} questions, {} repeats",
      latency.speedup, interval, latency.plan_ms, latency.plan_tokens, latency.full_ms,
      latency.full_tokens, latency.questions, latency.repeats);
}

std::string format_plan(const Plan& plan, const std::string& path, const Style& style) {
  std::string text = fmt::format("{}Plan {}{}\n", style.heading, path, style.off);
  text += line(
      style, "model",
      fmt::format("{}, {} layers ({})", plan.model_name, plan.layers, short_hash(plan.model_hash)));
  text +=
      line(style, "program", fmt::format("{} ({})", plan.program, short_hash(plan.program_hash)));
  text += line(style, "KV reuse",
               plan.kv_reuse == KvReuse::exact
                   ? "exact: a stage goes on only from what was read as it reads itself"
                   : "whole: a stage goes on from all that has the layers it attends to");
  text += line(style, "early answers", describe_early_answers(plan.early));
  for (const auto& [name, settings] : plan.stages)
    text += format_stage(name, settings, plan.layers, style);
  text += fmt::format(
      "\n{}{} left out while reading and writing, {} reading alone, {} writing "
      "alone, {} kept{}\n\n",
      style.quiet, BOTH, READING, WRITING, KEPT, style.off);
  text +=
      line(style, "accuracy", plan.accuracy ? describe_accuracy(*plan.accuracy) : "not measured");
  text += line(style, "speed", plan.latency ? describe_latency(*plan.latency) : "not measured");
  return text + format_origin(plan.origin, style);
}

}  // namespace litestage::app
