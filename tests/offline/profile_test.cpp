// The whole profile on tiny random models: what it says must agree with its parts, and a profile
// that was stopped must end with the same figures as one that was not.
#include "offline/profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "offline/calibration_part.h"
#include "offline/cosine_meter.h"
#include "offline/damage_meter.h"
#include "support/calibration.h"
#include "support/learned_preview.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

ProfileOptions quick() {
  ProfileOptions options;
  options.damage_tokens = 60;
  options.cost = {.min_rounds = 3, .max_rounds = 3, .max_ms = 1};
  options.question_set = "two.jsonl";
  return options;
}

/// All figures that are the same in every run: not times.
std::vector<double> lasting_figures(const Importance& importance) {
  std::vector<double> figures;
  for (const StageImportance& stage : importance.stages) {
    figures.insert(figures.end(), {stage.fresh_tokens, stage.written_tokens});
    for (const auto& layer : stage.layers) {
      for (const SublayerImportance& sublayer : layer) {
        for (const SublayerFigures* phase : {&sublayer.prefill, &sublayer.decode}) {
          for (const double value :
               {phase->cosine, phase->norm_ratio, phase->damage, phase->damage_error})
            figures.push_back(std::isnan(value) ? -1 : value);
        }
      }
    }
  }
  return figures;
}

TEST(Profile, SaysWhatItsPartsSay) {
  Calibration tiny;
  const auto questions = calibration_questions();
  const auto importance = profile(tiny.decoder, tiny.program, questions, quick(), "");
  ASSERT_TRUE(importance);
  EXPECT_EQ(importance->program, "three");
  EXPECT_EQ(importance->program_hash, tiny.program.hash);
  EXPECT_EQ(importance->question_set, "two.jsonl");
  EXPECT_EQ(importance->questions,
            (std::vector<std::string>{question_hash(questions[0]), question_hash(questions[1])}));
  EXPECT_EQ(importance->threads, 1);
  EXPECT_EQ(importance->head, "full");
  EXPECT_FALSE(importance->model_hash.empty());
  ASSERT_EQ(importance->stages.size(), 3U);
  EXPECT_EQ(importance->layer_count(), 3);

  const std::vector<StageTrace> traces = record_traces(tiny, questions);
  const auto cosines = measure_cosines(tiny.decoder, traces);
  DamageMeter meter(tiny.decoder, calibration_part(traces, quick().damage_tokens));
  SublayerMask mask;
  mask.skip(Sublayer::attention, 1);
  const StageImportance& recall = importance->stages[0];
  const SublayerImportance& attention = recall.of(Sublayer::attention, 1);
  EXPECT_EQ(attention.prefill.cosine, cosines->front().prefill[1][0].cosine);
  EXPECT_EQ(attention.decode.norm_ratio, cosines->front().decode[1][0].norm_ratio);
  EXPECT_EQ(attention.bytes, tiny.tiny.model()->sublayer_bytes(Sublayer::attention, 1));
  // Attention left out in reading is left out in writing too; in writing, alone.
  EXPECT_NEAR(attention.prefill.damage, meter.measure("recall", {mask, mask, {}}).kl, 1e-6);
  EXPECT_NEAR(attention.decode.damage, meter.measure("recall", {{}, mask, {}}).kl, 1e-6);
  SublayerMask ffn;
  ffn.skip(Sublayer::ffn, 2);
  EXPECT_NEAR(recall.of(Sublayer::ffn, 2).prefill.damage, meter.measure("recall", {ffn, {}, {}}).kl,
              1e-6);
  EXPECT_GT(recall.of(Sublayer::ffn, 2).prefill.damage, 0);
  EXPECT_GT(recall.prefill_ms, 0);
  EXPECT_GT(recall.decode_ms, 0);

  int texts = 0;
  for (const StageTrace& trace : traces)
    texts += trace.stage == "analyze" ? static_cast<int>(trace.text.size()) : 0;
  EXPECT_DOUBLE_EQ(importance->stages[1].written_tokens, texts / 2.0);

  // The last stage chooses by logits: there is no text to be changed or harmed.
  const SublayerImportance& answer = importance->stages[2].of(Sublayer::ffn, 0);
  EXPECT_EQ(importance->stages[2].written_tokens, 0);
  EXPECT_TRUE(std::isnan(answer.decode.cosine));
  EXPECT_EQ(answer.decode.damage, 0);
  EXPECT_GT(answer.prefill.damage, 0);
}

TEST(Profile, ASublayerThatAddsNothingHarmsNothing) {
  TinyModel model(TinyOptions{});
  model.silence_ffn(1);
  Calibration tiny(model);
  const auto importance = profile(tiny.decoder, tiny.program, calibration_questions(), quick(), "");
  ASSERT_TRUE(importance);
  for (const StageImportance& stage : importance->stages) {
    EXPECT_LT(stage.of(Sublayer::ffn, 1).prefill.damage, 1e-4);
    EXPECT_NEAR(stage.of(Sublayer::ffn, 1).prefill.cosine, 1, 1e-6);
    EXPECT_GT(stage.of(Sublayer::ffn, 0).prefill.damage, 1e-3);
  }
}

TEST(Profile, WithoutDamageItIsUnknown) {
  Calibration tiny;
  ProfileOptions options = quick();
  options.damage_tokens = 0;
  int steps = 0;
  const auto importance = profile(tiny.decoder, tiny.program, calibration_questions(), options, "",
                                  [&](const ProfileProgress& progress) { steps = progress.steps; });
  ASSERT_TRUE(importance);
  EXPECT_EQ(steps, 3);
  EXPECT_TRUE(std::isnan(importance->stages[0].of(Sublayer::ffn, 0).prefill.damage));
  EXPECT_FALSE(std::isnan(importance->stages[0].of(Sublayer::ffn, 0).prefill.cosine));
}

TEST(Profile, TellsHowFarItIs) {
  Calibration tiny;
  std::vector<std::string> what;
  ProfileProgress last;
  profile(tiny.decoder, tiny.program, calibration_questions(), quick(), "",
          [&](const ProfileProgress& progress) {
            if (what.empty() || what.back() != progress.what) what.push_back(progress.what);
            EXPECT_LE(progress.done, progress.total);
            EXPECT_EQ(progress.steps, 4);
            last = progress;
          });
  EXPECT_EQ(what, (std::vector<std::string>{"texts", "cosine", "milliseconds", "damage"}));
  // Reading of three stages and writing of two, six sublayers each.
  EXPECT_EQ(last.total, 5 * 6);
  EXPECT_EQ(last.done, last.total);
}

/// Number of lines of a file.
std::int64_t pieces_in(const std::string& path) {
  const std::string text = read_file(path);
  return std::count(text.begin(), text.end(), '\n') - 1;  // the first says whose pieces they are
}

TEST(Profile, GoesOnWhereItWasStopped) {
  const TemporaryFolder folder;
  const std::string partial = folder / "importance.json.partial";
  Calibration tiny;
  const auto questions = calibration_questions();
  const auto whole = profile(tiny.decoder, tiny.program, questions, quick(), "");
  ASSERT_TRUE(whole);

  // Stopped again and again, after every few pieces, until it is done.
  std::optional<Importance> importance;
  std::int64_t before = 0;
  int runs = 0;
  for (; !importance && runs < 40; ++runs) {
    std::atomic<bool> stop{false};
    importance = profile(
        tiny.decoder, tiny.program, questions, quick(), partial,
        [&](const ProfileProgress&) {
          if (pieces_in(partial) - before >= 5) stop.store(true);
        },
        &stop);
    EXPECT_GT(pieces_in(partial), before) << "a run that was stopped had done nothing";
    EXPECT_TRUE(importance || pieces_in(partial) < before + 8) << "it did not stop";
    before = pieces_in(partial);
  }
  ASSERT_TRUE(importance);
  EXPECT_GT(runs, 5);
  EXPECT_EQ(pieces_in(partial), 2 + 1 + 3 + 30) << "a piece was measured twice";
  const std::vector<double> expected = lasting_figures(*whole);
  const std::vector<double> found = lasting_figures(*importance);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 1e-6) << i;

  // Once more, all is there already.
  const auto again = profile(tiny.decoder, tiny.program, questions, quick(), partial);
  ASSERT_TRUE(again);
  EXPECT_EQ(to_json(*again), to_json(*importance));
}

TEST(Profile, GoesOnWhenAPreviewOfTheHeadHasCome) {
  const TemporaryFolder folder;
  const std::string partial = folder / "importance.json.partial";
  Calibration tiny;
  const auto questions = calibration_questions();
  std::atomic<bool> stop{false};
  EXPECT_FALSE(profile(
      tiny.decoder, tiny.program, questions, quick(), partial,
      [&](const ProfileProgress& progress) {
        if (progress.what == "damage") stop.store(true);
      },
      &stop));
  ASSERT_EQ(pieces_in(partial), 2 + 1 + 3);

  give_preview(tiny, folder / "tiny.head.gguf");
  const auto importance = profile(tiny.decoder, tiny.program, questions, quick(), partial);
  ASSERT_TRUE(importance);
  EXPECT_TRUE(importance->head.starts_with("preview of ")) << importance->head;
  EXPECT_EQ(pieces_in(partial), 2 + 1 + 3 + 3 + 30) << "milliseconds alone are measured anew";
}

TEST(Profile, PiecesOfAnotherProfileAreRefused) {
  const TemporaryFolder folder;
  const std::string partial = folder / "importance.json.partial";
  Calibration tiny;
  auto questions = calibration_questions();
  std::atomic<bool> stop{true};
  EXPECT_FALSE(profile(tiny.decoder, tiny.program, questions, quick(), partial, {}, &stop));
  questions[1].text += " Really?";
  EXPECT_THROW(profile(tiny.decoder, tiny.program, questions, quick(), partial), UserError);
  ProfileOptions options = quick();
  options.damage_tokens = 61;
  EXPECT_THROW(profile(tiny.decoder, tiny.program, calibration_questions(), options, partial),
               UserError);
  TinyOptions other;
  other.seed = 2;
  Calibration second{TinyModel(other)};
  EXPECT_THROW(profile(second.decoder, second.program, calibration_questions(), quick(), partial),
               UserError);
}

// A partial file that was edited or damaged must not bring the program down.
TEST(Profile, DamagedPiecesAreUserErrors) {
  const TemporaryFolder folder;
  const std::string partial = folder / "importance.json.partial";
  Calibration tiny;
  const auto questions = calibration_questions();
  ASSERT_TRUE(profile(tiny.decoder, tiny.program, questions, quick(), partial));
  const std::string whole = read_file(partial);
  const std::vector<std::pair<std::string, std::string>> edits = {
      {"\"stage\":\"recall\"", "\"stage\":\"recoll\""},
      {"\"fresh\":", "\"fresh\":-"},
      {"\"context\":[", "\"context\":[99999,"},
      {"\"prefill_tokens\":", "\"prefill\":1,\"x\":"},
      {"\"prefill_saved\":[[", "\"prefill_saved\":[[1],["},
      {"\"kl\":", "\"kl\":\"x\",\"y\":"},
  };
  for (const auto& [from, to] : edits) {
    std::string text = whole;
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_file(partial, text.replace(at, from.size(), to));
    EXPECT_THROW(profile(tiny.decoder, tiny.program, questions, quick(), partial), UserError)
        << from;
  }
}

StageTrace trace_of(const std::string& stage, int question, int fresh, std::size_t text) {
  return {stage, question, std::vector<Token>(40, question), fresh, std::vector<Token>(text, 1)};
}

TEST(CalibrationPart, TakesTurnsOfQuestionsAndBranches) {
  std::vector<StageTrace> traces;
  for (int question = 0; question < 3; ++question) {
    for (int branch = 0; branch < 2; ++branch)
      traces.push_back(trace_of("analyze", question, 4 + branch, 6));
    traces.push_back(trace_of("answer", question, 20, 0));
  }
  const auto part = calibration_part(traces, 31);  // first branch, second, first: 10 + 11 + 10
  std::vector<std::pair<int, int>> analyze;
  int answers = 0;
  for (const StageTrace& trace : part) {
    if (trace.stage == "analyze") analyze.emplace_back(trace.question, trace.fresh - 4);
    answers += trace.stage == "answer" ? 1 : 0;
  }
  EXPECT_EQ(analyze, (std::vector<std::pair<int, int>>{{0, 0}, {1, 1}, {2, 0}}));
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(calibration_part(traces, 1000), traces);
  EXPECT_EQ(calibration_part(traces, 1).size(), 2U) << "every stage has one";
}

}  // namespace
}  // namespace litestage::test
