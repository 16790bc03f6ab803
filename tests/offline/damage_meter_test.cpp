#include "offline/damage_meter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "litestage/error.h"
#include "offline/kept_distributions.h"
#include "support/decoder_tools.h"
#include "support/logits.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

TinyOptions tiny_options() {
  TinyOptions options;
  options.layers = 4;
  return options;
}

const LoadedTiny& tiny() {
  static const LoadedTiny loaded(tiny_options());
  return loaded;
}

/// One kernel and a cache without rounding: where calls end then changes next to nothing.
DecoderOptions with_context(int cells, int threads = 1) {
  DecoderOptions options;
  options.flash_attention = FlashAttention::off;
  options.kv_type = KvType::f32;
  options.context = cells;
  options.threads = threads;
  return options;
}

/// @param seed of the fresh tokens and the text; what stands before them depends on the question
StageTrace trace_of(const std::string& stage, int question, int prefix, int fresh, int text,
                    std::uint32_t seed) {
  StageTrace trace{.stage = stage, .question = question, .context = {}, .fresh = fresh, .text = {}};
  trace.context = random_tokens(prefix, 320, 1000 + static_cast<std::uint32_t>(question));
  for (const Token token : random_tokens(fresh, 320, 2 * seed))
    trace.context.push_back(token);
  trace.text = random_tokens(text, 320, 2 * seed + 1);
  return trace;
}

/// Two questions, three stages: one text, two branches, a choice by logits.
std::vector<StageTrace> some_traces() {
  std::vector<StageTrace> traces;
  std::uint32_t seed = 1;
  for (int question = 0; question < 2; ++question) {
    traces.push_back(trace_of("recall", question, 20 + question, 9, 7 + 3 * question, ++seed));
    traces.push_back(trace_of("analyze", question, 33, 4, 6, ++seed));
    traces.push_back(trace_of("analyze", question, 33, 5, 1, ++seed));
    traces.push_back(trace_of("choose", question, 40, 3, 0, ++seed));
  }
  return traces;
}

SublayerMask mask(const char* text) {
  return SublayerMask::parse(text, tiny_options().layers);
}

/// Log-probabilities a trace's text was drawn from, by one run from nothing.
std::vector<std::vector<double>> run_alone(const StageTrace& trace, const StageSettings& settings) {
  Decoder decoder(tiny().model(), with_context(256));
  std::vector<std::vector<double>> rows;
  const auto vocabulary = static_cast<std::size_t>(tiny().vocabulary_size());
  const std::span<const Token> context(trace.context);
  const std::size_t prefix = context.size() - static_cast<std::size_t>(trace.fresh);
  if (prefix > 0) decoder.forward(0, context.first(prefix));
  const auto add = [&](std::span<const float> logits) {
    for (std::size_t at = 0; at < logits.size(); at += vocabulary)
      rows.push_back(log_probabilities(logits.subspan(at, vocabulary)));
  };
  add(decoder.forward(0, context.subspan(prefix), settings.prefill).logits);
  if (trace.text.size() > 1) {
    add(all_logits(decoder, std::span(trace.text).first(trace.text.size() - 1), settings.decode));
  }
  return rows;
}

/// The definition of damage, in double, each trace by itself.
Damage direct(const std::vector<StageTrace>& traces, const std::string& stage,
              const StageSettings& settings) {
  std::map<int, std::pair<double, double>> questions;  // sum, tokens
  double sum = 0;
  Damage damage{.kl = 0, .kl_error = 0, .top1 = 0, .tokens = 0};
  for (const StageTrace& trace : traces) {
    if (trace.stage != stage) continue;
    const auto full = run_alone(trace, {});
    const auto other = run_alone(trace, settings);
    for (std::size_t row = 0; row < full.size(); ++row) {
      double kl = 0;
      for (std::size_t i = 0; i < full[row].size(); ++i)
        kl += std::exp(full[row][i]) * (full[row][i] - other[row][i]);
      const auto top = [](const std::vector<double>& values) {
        return std::max_element(values.begin(), values.end()) - values.begin();
      };
      damage.top1 += top(full[row]) == top(other[row]) ? 1 : 0;
      sum += kl;
      questions[trace.question].first += kl;
      questions[trace.question].second += 1;
      ++damage.tokens;
    }
  }
  damage.kl = sum / damage.tokens;
  damage.top1 /= damage.tokens;
  double squares = 0;
  for (const auto& [question, sums] : questions) {
    // Means of questions about the mean, weighted by tokens.
    squares += std::pow(sums.second / damage.tokens * (sums.first / sums.second - damage.kl), 2);
  }
  const auto count = static_cast<double>(questions.size());
  if (count > 1) damage.kl_error = std::sqrt(count / (count - 1) * squares);
  return damage;
}

void expect_near(const Damage& found, const Damage& expected, const std::string& what) {
  EXPECT_EQ(found.tokens, expected.tokens) << what;
  EXPECT_NEAR(found.kl, expected.kl, 3e-4 * expected.kl + 1e-6) << what;
  EXPECT_NEAR(found.kl_error, expected.kl_error, 1e-3 * expected.kl_error + 1e-5) << what;
  EXPECT_NEAR(found.top1, expected.top1, 1e-9) << what;
}

const std::vector<StageSettings>& some_settings() {
  static const std::vector<StageSettings> settings = {
      {{}, mask("f1"), {}},           {mask("f2"), {}, {}},
      {{}, mask("a1,f0,f2"), {}},     {mask("f1"), mask("a2-3,f1-2"), {}},
      {mask("a1"), mask("a1-2"), {}}, StageSettings::with_mask(mask("a0,f3"))};
  return settings;
}

std::string name_of(const StageSettings& settings) {
  return settings.prefill.to_string() + " / " + settings.decode.to_string();
}

void expect_direct_values(DamageMeter& meter, const std::vector<StageTrace>& traces) {
  for (const std::string stage : {"recall", "analyze", "choose"}) {
    for (const StageSettings& settings : some_settings())
      expect_near(meter.measure(stage, settings), direct(traces, stage, settings),
                  stage + ": " + name_of(settings));
  }
}

TEST(DamageMeter, AgreesWithTheDefinition) {
  Decoder decoder(tiny().model(), with_context(1024));
  DamageMeter meter(decoder, some_traces());
  EXPECT_EQ(meter.tokens("recall"), 17);
  EXPECT_EQ(meter.tokens("analyze"), 14);
  EXPECT_EQ(meter.tokens("choose"), 2);
  expect_direct_values(meter, some_traces());
  // The settings are harmful, so that agreement means something.
  EXPECT_GT(meter.measure("recall", some_settings()[0]).kl, 1e-2);
}

TEST(DamageMeter, NeedsNoRoomForAllContexts) {
  Decoder decoder(tiny().model(), with_context(64));
  DamageMeter meter(decoder, some_traces());
  expect_direct_values(meter, some_traces());
}

TEST(DamageMeter, NothingLeftOutIsNoDamage) {
  for (const int cells : {64, 1024}) {
    Decoder decoder(tiny().model(), with_context(cells));
    DamageMeter meter(decoder, some_traces());
    for (const std::string stage : {"recall", "analyze", "choose"}) {
      const Damage damage = meter.measure(stage, {});
      EXPECT_LT(damage.kl, 1e-6) << cells << " " << stage;
      EXPECT_EQ(damage.top1, 1) << cells << " " << stage;
      EXPECT_EQ(damage.tokens, meter.tokens(stage));
    }
  }
}

TEST(DamageMeter, SublayersThatAddNothingDoNoDamage) {
  TinyModel model(tiny_options());
  model.silence_attention(1);
  model.silence_ffn(2);
  const LoadedTiny loaded(model);
  Decoder decoder(loaded.model(), with_context(1024));
  DamageMeter meter(decoder, some_traces());
  for (const std::string stage : {"recall", "analyze", "choose"}) {
    EXPECT_LT(meter.measure(stage, StageSettings::with_mask(mask("a1,f2"))).kl, 1e-6) << stage;
    EXPECT_GT(meter.measure(stage, StageSettings::with_mask(mask("f1"))).kl, 1e-3) << stage;
  }
}

TEST(DamageMeter, AStageWithoutTextIsMovedByReadingAlone) {
  Decoder decoder(tiny().model(), with_context(1024));
  DamageMeter meter(decoder, some_traces());
  EXPECT_EQ(meter.measure("choose", {{}, mask("a0-3,f0-3"), {}}).kl, 0);
  EXPECT_GT(meter.measure("choose", {mask("f1"), mask("f1"), {}}).kl, 1e-3);
}

TEST(DamageMeter, LongTextsAreCutIntoSeveralCalls) {
  const std::vector<StageTrace> traces = {trace_of("recall", 0, 10, 5, 150, 1),
                                          trace_of("recall", 1, 10, 5, 40, 2),
                                          trace_of("recall", 1, 10, 70, 30, 3)};
  for (const int cells : {170, 1024}) {
    DecoderOptions options = with_context(cells);
    options.ubatch = 32;
    Decoder decoder(tiny().model(), options);
    DamageMeter meter(decoder, traces);
    for (const StageSettings& settings : some_settings())
      expect_near(meter.measure("recall", settings), direct(traces, "recall", settings),
                  name_of(settings));
  }
}

TEST(DamageMeter, ThreadsChangeNothing) {
  Decoder one(tiny().model(), with_context(1024, 1));
  Decoder three(tiny().model(), with_context(1024, 3));
  DamageMeter alone(one, some_traces());
  DamageMeter together(three, some_traces());
  for (const StageSettings& settings : some_settings()) {
    const Damage expected = alone.measure("analyze", settings);
    const Damage found = together.measure("analyze", settings);
    EXPECT_EQ(found.kl, expected.kl) << name_of(settings);
    EXPECT_EQ(found.kl_error, expected.kl_error) << name_of(settings);
    EXPECT_EQ(found.top1, expected.top1) << name_of(settings);
  }
}

TEST(DamageMeter, ReadsNoContextTwiceWhereTheyFit) {
  Decoder decoder(tiny().model(), with_context(1024));
  DamageMeter meter(decoder, some_traces());
  const auto calls_of = [&](const StageSettings& settings) {
    const auto calls = [&] {
      const Decoder::GraphStatistics statistics = decoder.graph_statistics();
      return statistics.built + statistics.reused;
    };
    const auto before = calls();
    meter.measure("recall", settings);
    return calls() - before;
  };
  EXPECT_EQ(calls_of({{}, mask("a1,f1"), {}}), 1);       // the texts
  EXPECT_EQ(calls_of({mask("f1"), mask("f1"), {}}), 2);  // fresh tokens and texts
  EXPECT_EQ(calls_of({{}, mask("f3"), {}}), 1);
}

TEST(DamageMeter, OthersMayUseTheDecoderBetweenCalls) {
  Decoder decoder(tiny().model(), with_context(256));
  DamageMeter meter(decoder, some_traces());
  const StageSettings settings = {mask("f1"), mask("a1,f1"), {}};
  const Damage expected = meter.measure("analyze", settings);
  decoder.clear();
  // The same numbers of sequences, other tokens; no cell is left.
  for (SequenceId sequence = 60; decoder.free_cells() > 0; ++sequence) {
    const int count = std::min(decoder.free_cells(), 20);
    decoder.forward(sequence, random_tokens(count, 320, 77));
  }
  for (const std::string stage : {"recall", "analyze", "choose"})
    expect_near(meter.measure(stage, settings), direct(some_traces(), stage, settings), stage);
  EXPECT_NEAR(meter.measure("analyze", settings).kl, expected.kl, 1e-6);
}

TEST(DamageMeter, LeavesOutTextsEvenlyWhenThereIsNoMemory) {
  std::vector<StageTrace> traces;
  std::uint32_t seed = 0;
  for (int question = 0; question < 3; ++question) {
    traces.push_back(trace_of("recall", question, 10, 3, 5, ++seed));
    for (int branch = 0; branch < 4; ++branch)
      traces.push_back(trace_of("analyze", question, 15, 3, 5, ++seed));
  }
  const std::size_t row = KeptDistributions::row_bytes(tiny().vocabulary_size());
  Decoder decoder(tiny().model(), with_context(256));
  // Room for one text of each stage and question, and a second branch of two.
  DamageMeter meter(decoder, traces, 44 * row);
  EXPECT_EQ(meter.tokens("recall"), 15);
  EXPECT_EQ(meter.tokens("analyze"), 25);
  std::vector<StageTrace> kept;
  for (const std::size_t index : {1U, 2U, 6U, 7U, 11U})
    kept.push_back(traces[index]);
  const StageSettings settings = StageSettings::with_mask(mask("f1"));
  expect_near(meter.measure("analyze", settings), direct(kept, "analyze", settings), "kept");

  DamageMeter none(decoder, traces, row);
  EXPECT_EQ(none.tokens("recall"), 0);
  EXPECT_EQ(none.measure("recall", settings).tokens, 0);
}

TEST(DamageMeter, AnUnknownStageHasNoTokens) {
  Decoder decoder(tiny().model(), with_context(256));
  DamageMeter meter(decoder, some_traces());
  EXPECT_EQ(meter.tokens("other"), 0);
  EXPECT_EQ(meter.measure("other", {}).tokens, 0);
}

TEST(DamageMeter, AnInterruptionIsNoMeasurement) {
  Decoder decoder(tiny().model(), with_context(256));
  DamageMeter meter(decoder, some_traces());
  const StageSettings settings = {mask("f1"), mask("a1,f1"), {}};
  bool stop = true;
  decoder.set_interrupt([&] { return stop; });
  EXPECT_EQ(meter.measure("recall", settings).tokens, 0);
  DamageMeter stopped(decoder, some_traces());
  EXPECT_EQ(stopped.tokens("recall"), 0);
  stop = false;
  expect_near(meter.measure("recall", settings), direct(some_traces(), "recall", settings),
              "afterwards");
}

TEST(DamageMeter, ATraceThatIsTooLongIsRefused) {
  Decoder decoder(tiny().model(), with_context(32));
  EXPECT_THROW(DamageMeter(decoder, some_traces()), UserError);
}

}  // namespace
}  // namespace litestage::test
