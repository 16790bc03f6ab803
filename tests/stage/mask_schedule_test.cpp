// Masks that change while a text is written, on a tiny random model: each token is computed under
// the mask the schedule gave, and the next stage reads nothing that was computed under another.
#include "litestage/mask_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/text_file.h"
#include "litestage/pipeline.h"
#include "stage/conversation.h"
#include "support/decoder_tools.h"
#include "support/policy_statistics.h"
#include "support/two_stages.h"

namespace litestage::test {
namespace {

constexpr int SCHEDULE_LAYERS = 6;
constexpr int THINK_TOKENS = 40;
constexpr const char* BRANCHES = R"(
name = "branches"
format = "plain"
[[stage]]
name = "analyze"
for_each = "option"
prompt = "Q: {{question}}\n{{options}}\nOption ({{option.letter}}):"
max_tokens = 12
[[stage]]
name = "answer"
prompt = "\n{{stage.analyze}}\nAnswer:"
output = "choice"
)";

/// What a schedule was asked and told.
struct ScheduleLog {
  std::vector<std::pair<std::string, int>> stages;  ///< of the factory
  std::vector<int> steps;
  std::vector<int> rows;
  std::vector<std::size_t> tap_values;
};

/// One mask up to some step, another one from then on.
class Switch : public MaskSchedule {
 public:
  Switch(SublayerMask before, SublayerMask after, int at, ScheduleLog& log)
      : before_(std::move(before)), after_(std::move(after)), at_(at), log_(log) {}
  SublayerMask next(int written) override {
    log_.steps.push_back(written);
    return written < at_ ? before_ : after_;
  }
  std::span<const Tap> taps() const override { return taps_; }
  void observe(const ForwardResult& step) override {
    log_.rows.push_back(step.rows);
    log_.tap_values.push_back(step.taps.at(0).size());
  }

 private:
  SublayerMask before_;
  SublayerMask after_;
  int at_;
  ScheduleLog& log_;
  std::vector<Tap> taps_ = {{TapPoint::ffn_out, 1}};
};

class MaskScheduleTest : public testing::Test {
 protected:
  MaskScheduleTest()
      : tiny_([] {
          TinyOptions options;
          options.layers = SCHEDULE_LAYERS;
          return options;
        }()) {}

  static DecoderOptions decoder_options() {
    DecoderOptions options = small_decoder();
    options.context = 512;
    return options;
  }

  static SublayerMask mask(std::string_view text) {
    return SublayerMask::parse(text, SCHEDULE_LAYERS);
  }

  static Question question() {
    return {.id = "q",
            .text = "Which is heavier?",
            .options = letter_options({"a brick", "a feather", "a leaf"}),
            .gold = "",
            .program = ""};
  }

  QuestionRecord ask(const PipelineOptions& options, const char* program = TWO_STAGES) {
    Decoder fresh(tiny_.model(), decoder_options());
    Pipeline pipeline(fresh, parse_program(program, "program.toml"), options);
    return pipeline.answer(question());
  }

  /// Switches the mask of the stage `think` at a step.
  PipelineOptions switching(const char* before, const char* after, int at) {
    PipelineOptions options;
    options.schedules = [this, before, after, at](std::string_view stage,
                                                  int max_tokens) -> std::unique_ptr<MaskSchedule> {
      log_.stages.emplace_back(stage, max_tokens);
      if (stage != "think") return nullptr;
      return std::make_unique<Switch>(mask(before), mask(after), at, log_);
    };
    return options;
  }

  /// Greedy tokens on a decoder of their own, one forward call a token.
  /// @param schedule may be null; then `reading` stays
  std::vector<Token> write_alone(const std::vector<Token>& context, const SublayerMask& reading,
                                 MaskSchedule* schedule, int count) {
    Decoder fresh(tiny_.model(), decoder_options());
    ForwardResult result = fresh.forward(0, context, reading);
    std::vector<Token> tokens;
    while (true) {
      const Token token = argmax(result.logits);
      if (tiny_.model()->tokenizer().is_end_of_generation(token)) return tokens;
      tokens.push_back(token);
      const auto written = static_cast<int>(tokens.size());
      if (written == count) return tokens;
      const BatchToken next{tokens.back(), 0, true};
      if (schedule == nullptr) {
        result = fresh.forward({&next, 1}, reading);
        continue;
      }
      const SublayerMask mask = schedule->next(written);
      result = fresh.forward({&next, 1}, mask, schedule->taps());
      schedule->observe(result);
    }
  }

  /// The texts of TWO_STAGES when every stage is written on a decoder of its own.
  std::vector<std::string> texts_alone(const SublayerMask& reading, MaskSchedule* schedule) {
    const Tokenizer& tokenizer = tiny_.model()->tokenizer();
    const Program program = parse_program(TWO_STAGES, "program.toml");
    Conversation conversation(program, tokenizer);
    const std::string prompt = "Q: " + question().text + "\nThink:";
    const std::vector<Token> opened = conversation.open(prompt, "");
    const std::vector<Token> thought = write_alone(opened, reading, schedule, THINK_TOKENS);
    const std::string text = tokenizer.decode(thought);
    conversation.close(prompt, "", opened, thought, text);
    const std::vector<Token> answer =
        write_alone(conversation.open("\nAnswer:", ""), reading, nullptr, 8);
    return {std::string(trimmed(text)), std::string(trimmed(tokenizer.decode(answer)))};
  }

  LoadedTiny tiny_;
  ScheduleLog log_;
};

TEST_F(MaskScheduleTest, EachTokenIsComputedUnderTheMaskOfItsStep) {
  for (const char* after : {"f2-3", "a2-3", "a1-2,f1-4*1.1"}) {
    const QuestionRecord record = ask(switching("none", after, 5));
    ScheduleLog unused;
    Switch schedule(mask("none"), mask(after), 5, unused);
    const std::vector<std::string> alone = texts_alone({}, &schedule);
    EXPECT_EQ(record.stages[0].text, alone[0]) << after;
    EXPECT_EQ(record.stages[1].text, alone[1]) << after << ": the next stage read wrong KV";
    EXPECT_EQ(record.stages[0].mask, after) << "the last one";
    EXPECT_EQ(record.stages[1].mask, "none");
    EXPECT_NE(record.stages[0].text, ask({}).stages[0].text) << after;
  }
}

TEST_F(MaskScheduleTest, TheNextStageUsesKvAsFarAsItIsRight) {
  struct Case {
    const char* after;
    KvReuse reuse;
    int reused;  // of the text
  };
  // The text's first four tokens are read under no mask; the one sampled last is never read.
  for (const Case& one :
       {Case{"f2", KvReuse::exact, 4}, Case{"a2", KvReuse::exact, 4}, Case{"a2", KvReuse::whole, 4},
        Case{"f2", KvReuse::whole, THINK_TOKENS - 1}}) {
    PipelineOptions options = switching("none", one.after, 5);
    options.kv_reuse = one.reuse;
    const QuestionRecord record = ask(options);
    EXPECT_EQ(record.stages[1].reused_tokens, record.stages[0].prompt_tokens + one.reused)
        << one.after << " " << to_string(one.reuse);
  }
}

TEST_F(MaskScheduleTest, IsAskedOnceAStageThatWritesAndTold) {
  PipelineOptions options = switching("none", "f1", 3);
  ask(options);
  EXPECT_EQ(log_.stages, (std::vector<std::pair<std::string, int>>{{"think", 40}, {"answer", 8}}));
  ASSERT_EQ(log_.steps.size(), 39U) << "the token sampled last is not read";
  for (std::size_t i = 0; i < log_.steps.size(); ++i)
    EXPECT_EQ(log_.steps[i], static_cast<int>(i) + 1);
  EXPECT_EQ(log_.rows, std::vector<int>(39, 1));
  const auto width = static_cast<std::size_t>(tiny_.model()->embedding_size());
  EXPECT_EQ(log_.tap_values, std::vector<std::size_t>(39, width));

  log_ = {};
  options.stages["think"].exit.max_tokens = 9;
  ask(options);
  EXPECT_EQ(log_.stages[0].second, 9) << "an exit rule may shorten it";
}

TEST_F(MaskScheduleTest, BranchesShareOneScheduleAndAChoiceHasNone) {
  PipelineOptions options;
  options.schedules = [this](std::string_view stage, int max_tokens) {
    log_.stages.emplace_back(stage, max_tokens);
    return std::make_unique<Switch>(mask("none"), mask("a2,f2"), 2, log_);
  };
  const QuestionRecord record = ask(options, BRANCHES);
  EXPECT_EQ(log_.stages, (std::vector<std::pair<std::string, int>>{{"analyze", 12}}));
  std::vector<int> going_on(11, 0);
  for (const StageRecord& branch : record.stages) {
    if (branch.name != "analyze") continue;
    // A branch that ended by itself had sampled its end in one more step.
    const int steps =
        branch.stop_reason == StopReason::max_tokens ? branch.tokens - 1 : branch.tokens;
    for (std::size_t step = 0; step < static_cast<std::size_t>(steps); ++step)
      ++going_on[step];
    EXPECT_EQ(branch.mask, steps >= 2 ? "a2,f2" : "none");
  }
  std::erase(going_on, 0);
  EXPECT_EQ(log_.rows, going_on);
  EXPECT_EQ(record.stages.back().mask, "none");
}

TEST_F(MaskScheduleTest, AdaskipAgreesWithADirectLookAtTheText) {
  PolicyStatistics statistics = planted_statistics(SCHEDULE_LAYERS);
  statistics.layers[3][0].cosine = 0.9;
  statistics.layers[3][0].norm_ratio = 1.1;
  const SublayerMask base = mask("a3*1.1");

  // The 20 tokens read first, with the taps of all FFNs.
  struct Watch : MaskSchedule {
    explicit Watch(SublayerMask mask) : mask(std::move(mask)) {
      for (int layer = 0; layer < SCHEDULE_LAYERS; ++layer) {
        points.push_back({TapPoint::attn_out, layer});
        points.push_back({TapPoint::ffn_out, layer});
      }
    }
    SublayerMask next(int) override { return mask; }
    std::span<const Tap> taps() const override { return points; }
    void observe(const ForwardResult& step) override {
      for (std::size_t layer = 0; layer < SCHEDULE_LAYERS; ++layer) {
        double dot = 0;
        double in = 0;
        double out = 0;
        for (std::size_t i = 0; i < step.taps[2 * layer].size(); ++i) {
          const auto x = static_cast<double>(step.taps[2 * layer][i]);
          const auto y = static_cast<double>(step.taps[2 * layer + 1][i]);
          dot += x * y;
          in += x * x;
          out += y * y;
        }
        cosine[layer] += dot / std::sqrt(in * out) / 20;
        norm_ratio[layer] += std::sqrt(out / in) / 20;
      }
    }
    SublayerMask mask;
    std::vector<Tap> points;
    std::array<double, SCHEDULE_LAYERS> cosine{};
    std::array<double, SCHEDULE_LAYERS> norm_ratio{};
  } watch(base);
  const std::string prompt = "Q: " + question().text + "\nThink:";
  const Program program = parse_program(TWO_STAGES, "program.toml");
  const Conversation conversation(program, tiny_.model()->tokenizer());
  write_alone(conversation.open(prompt, ""), base, &watch, 21);
  std::array<double, SCHEDULE_LAYERS> sorted = watch.cosine;
  std::sort(sorted.begin(), sorted.end());
  const double threshold = (sorted[2] + sorted[3]) / 2;

  const auto policy = made_policy("adaskip:k=1,online=" + std::to_string(threshold), statistics);
  ASSERT_EQ(policy->settings("think").decode, base);
  PipelineOptions options;
  options.settings = policy->settings("think");
  options.schedules = policy->schedules();
  const QuestionRecord record = ask(options);
  const SublayerMask found = mask(record.stages[0].mask);
  EXPECT_EQ(found.skipped_count(), 4U) << found.to_string();
  EXPECT_EQ(found.scale(Sublayer::attention, 3), 1.1F);
  for (int layer = 0; layer < SCHEDULE_LAYERS; ++layer) {
    const auto at = static_cast<std::size_t>(layer);
    EXPECT_EQ(found.skips(Sublayer::ffn, layer), watch.cosine[at] >= threshold) << layer;
    if (!found.skips(Sublayer::ffn, layer)) continue;
    EXPECT_NEAR(static_cast<double>(found.scale(Sublayer::ffn, layer)), watch.norm_ratio[at], 1e-5);
  }
  EXPECT_EQ(record.stages[1].mask, base.to_string()) << "a new text starts anew";
  const auto schedule = policy->schedules()("think", THINK_TOKENS);
  EXPECT_EQ(record.stages[0].text, texts_alone(base, schedule.get())[0]);
  EXPECT_EQ(record.stages[1].text, texts_alone(base, policy->schedules()("", 40).get())[1]);
}

TEST_F(MaskScheduleTest, SkipdecodeWritesWithFewerAndFewerLayers) {
  const auto policy = made_policy("skipdecode:k=4", planted_statistics(SCHEDULE_LAYERS));
  PipelineOptions options;
  options.settings = policy->settings("think");
  options.schedules = policy->schedules();
  for (const KvReuse reuse : {KvReuse::exact, KvReuse::whole}) {
    options.kv_reuse = reuse;
    const QuestionRecord record = ask(options);
    const auto schedule = policy->schedules()("think", THINK_TOKENS);
    EXPECT_EQ(record.stages[0].text, texts_alone({}, schedule.get())[0]);
    EXPECT_EQ(record.stages[0].mask, "a1-4,f1-4");
    EXPECT_EQ(record.stages[0].prefill_mask, "none");
    EXPECT_LT(record.stages[1].reused_tokens, record.stages[0].prompt_tokens + 10)
        << "most of the text lacks layers that the next stage needs";
  }
}

}  // namespace
}  // namespace litestage::test
