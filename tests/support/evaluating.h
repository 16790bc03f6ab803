#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "eval/evaluate.h"
#include "litestage/error.h"
#include "support/calibration.h"
#include "support/eval_example.h"
#include "support/pool_tools.h"
#include "support/temporary.h"
#include "support/thread_ranks.h"

namespace litestage::test {

/// Three arms on a tiny model: full and a mask on one task, full on another; each on its own
/// decoder.
class Evaluating : public testing::Test {
 protected:
  Evaluating() {
    tasks_ = {{"one", questions("one", 3)}, {"two", questions("two", 2)}};
    add_arm("one", "full", "none");
    add_arm("one", "masked", "f1");
    add_arm("two", "full", "none");
    header_.machine = "here";
    header_.threads = 1;
    header_.seed = 5;
    header_.created = "2026-01-31T12:00:00Z";
  }

  static std::vector<Question> questions(const std::string& task, int count) {
    std::vector<Question> questions;
    for (int i = 0; i < count; ++i) {
      Question question = calibration_questions()[static_cast<std::size_t>(i % 2)];
      question.id = task + std::to_string(i);
      question.text += " " + question.id;
      questions.push_back(question);
    }
    return questions;
  }

  void add_arm(const std::string& task, const std::string& policy, const std::string& mask) {
    EvalArm arm;
    arm.task = task;
    arm.policy = policy;
    arm.program = "three";
    arm.settings = mask;
    header_.arms.push_back(arm);
    DecoderOptions decoder = small_decoder();
    decoder.context = 512;
    decoders_.push_back(std::make_unique<Decoder>(tiny_.model(), decoder));
    PipelineOptions options;
    options.settings =
        StageSettings::with_mask(SublayerMask::parse(mask, tiny_.model()->layer_count()));
    pipelines_.push_back(std::make_unique<Pipeline>(
        *decoders_.back(), parse_program(calibration_program(), "program.toml"), options));
  }

  EvalOutcome run(const std::function<void(const EvalProgress&)>& progress = {},
                  const std::atomic<bool>* stop = nullptr, const UntimedPart* untimed = nullptr) {
    std::vector<Pipeline*> pipelines;
    for (const auto& pipeline : pipelines_)
      pipelines.push_back(pipeline.get());
    return evaluate(header_, pipelines, tasks_, path(), progress, stop, untimed);
  }

  /// The same by several ranks, each on decoders of its own. @return the first one's outcome
  EvalOutcome run_on(int ranks, const std::atomic<bool>* stop = nullptr,
                     const UntimedPart* untimed = nullptr) {
    ThreadRanks channel(ranks);
    const auto one_rank = [&](int rank, const std::vector<Pipeline*>& pipelines) {
      ThreadRanks::End end(channel, rank);
      return evaluate(header_, pipelines, tasks_, path(), {}, stop, untimed, &end);
    };
    std::vector<std::future<EvalOutcome>> others;
    for (int rank = 1; rank < ranks; ++rank) {
      others.push_back(std::async(std::launch::async, [&, rank] {
        std::vector<Decoder> decoders;
        std::vector<std::unique_ptr<Pipeline>> pipelines;
        std::vector<Pipeline*> pointers;
        decoders.reserve(header_.arms.size());
        for (const EvalArm& arm : header_.arms) {
          DecoderOptions options = small_decoder();
          options.context = 512;
          decoders.emplace_back(tiny_.model(), options);
          PipelineOptions settings;
          settings.settings = StageSettings::with_mask(
              SublayerMask::parse(arm.settings, tiny_.model()->layer_count()));
          pipelines.push_back(std::make_unique<Pipeline>(
              decoders.back(), parse_program(calibration_program(), "program.toml"), settings));
          pointers.push_back(pipelines.back().get());
        }
        return one_rank(rank, pointers);
      }));
    }
    std::vector<Pipeline*> pipelines;
    for (const auto& pipeline : pipelines_)
      pipelines.push_back(pipeline.get());
    EvalOutcome outcome = one_rank(0, pipelines);
    for (std::future<EvalOutcome>& other : others)
      EXPECT_TRUE(other.get().run.records.empty()) << "the first rank alone has the records";
    return outcome;
  }

  /// All questions but the first of each task on a pool, three at a time.
  UntimedPart behind_the_first(int portion) {
    return {
        1, portion,
        [this](int arm, std::span<const Question* const> asked, const TakeAnswer& take,
               const std::atomic<bool>* stop) {
          DecoderPool pool(tiny_.model(), exact_decoder(1024));
          PipelineOptions options;
          options.settings = StageSettings::with_mask(SublayerMask::parse(
              header_.arms[static_cast<std::size_t>(arm)].settings, tiny_.model()->layer_count()));
          answer_side_by_side(pool, 3, parse_program(calibration_program(), "program.toml"),
                              options, asked, take, stop);
        }};
  }

  std::string path() const { return (folder_ / "x.jsonl").string(); }

  /// What was answered, without the times: equal runs give equal answers. As the file has it: a
  /// random model writes bytes that are no UTF-8.
  static std::map<std::pair<int, std::string>, std::string> answers(const EvalRun& run) {
    std::map<std::pair<int, std::string>, std::string> answers;
    for (const EvalRecord& record : parse_eval_run(eval_file(run), "run").records) {
      std::string& text = answers[{record.arm, record.id}];
      text = record.prediction;
      for (const EvalStage& stage : record.stages)
        text += "|" + stage.text + "|" + stage.mask;
    }
    return answers;
  }

  void expect_refused(const std::string& part) {
    const std::string before = std::filesystem::exists(path()) ? read_file(path()) : "";
    try {
      run();
      FAIL() << "accepted";
    } catch (const UserError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
    if (!before.empty()) {
      EXPECT_EQ(read_file(path()), before);
    }
  }

  TemporaryFolder folder_;
  LoadedTiny tiny_{TinyOptions{}};
  EvalHeader header_;
  std::vector<EvalTask> tasks_;
  std::vector<std::unique_ptr<Decoder>> decoders_;
  std::vector<std::unique_ptr<Pipeline>> pipelines_;
};

}  // namespace litestage::test
