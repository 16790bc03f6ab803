#include "support/report_example.h"

#include <array>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "support/importance_example.h"
#include "support/search_example.h"

namespace litestage::test {
namespace {

/// How a policy does, compared with the full model.
struct Behaviour {
  std::string policy;
  int lost = 0;          ///< first so many of those that full has right
  int gained = 0;        ///< first so many of those that full has wrong
  double per_token = 1;  ///< time factor
  double length = 1;     ///< of texts
  bool is_direct = false;
};

const std::vector<Behaviour> OPENBOOKQA = {{"full"},
                                           {"direct", 20, 8, 1, 0, true},
                                           {"adaskip:k=8", 15, 6, 0.86, 1.12},
                                           {"skipdecode:save=10", 24, 4, 0.9, 1.2},
                                           {"unifiedskip:k=8", 30, 5, 0.84, 1.31},
                                           {"litestage:plan.json+exit", 5, 3, 0.82, 0.9}};
const std::vector<Behaviour> GSM8K = {
    {"full"}, {"adaskip:k=8", 6, 1, 0.86, 1.05}, {"litestage:plan.json+exit", 1, 1, 0.85, 0.97}};

constexpr std::array<std::string_view, 16> WORDS = {
    "light", "water", "plants", "need", "because", "energy", "from", "the",
    "sun",   "moves", "heat",   "in",   "a",       "metal",  "rod",  "so"};

/// Numbers that look like chance and are the same everywhere (Knuth's MMIX generator).
class TimeNoise {
 public:
  explicit TimeNoise(std::uint64_t seed) : state_(seed * 7919 + 17) {}
  double share() {  // [0, 1)
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 11U) / static_cast<double>(1ULL << 53U);
  }
  int below(int end) { return static_cast<int>(share() * end); }

 private:
  std::uint64_t state_;
};

/// Words that begin alike for all policies and then part.
std::string words(TimeNoise& common, TimeNoise& own, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    TimeNoise& noise = i < count / 3 ? common : own;
    text += (i == 0 ? "" : " ") + std::string(WORDS.at(static_cast<std::size_t>(noise.below(16))));
  }
  return text + ".";
}

std::string hostile(int question) {
  switch (question) {
    case 0:
      return "</script><script>document.title = 'broken'</script>";
    case 1:
      return "<img src=x onerror=\"document.title = 'broken'\"> <b>bold</b> &amp; \"quoted\"";
    case 2:
      return "a broken byte \xff and <!-- a comment";
    default:
      return "";
  }
}

/// Where a stage begins.
struct Place {
  std::string name;
  std::string option = {};
  int fresh = 40;
  int tokens = 30;
};

class RecordMaker {
 public:
  RecordMaker(const Behaviour& behaviour, std::size_t arm, int question)
      : behaviour_(behaviour),
        question_(question),
        common_(static_cast<std::uint64_t>(question)),
        own_(static_cast<std::uint64_t>(question) * 31 + arm + 1) {
    record_.arm = static_cast<int>(arm);
  }

  EvalRecord make(const std::vector<Place>& places, bool full_is_right, bool is_right,
                  const std::vector<Option>& options) {
    record_.id = fmt::format("question-{:03}", question_);
    record_.question_hash = fmt::format("{:016x}", question_);
    record_.question = fmt::format("What does the {} question ask? {}",
                                   full_is_right ? "easy" : "hard", hostile(question_));
    record_.options = options;
    record_.gold = options.empty() ? "42" : "B";
    record_.prediction = is_right ? record_.gold : options.empty() ? "17" : "C";
    if (!is_right && question_ % 9 == 8) record_.prediction = "";
    record_.correct = is_right;
    record_.total_ms = 6 + own_.share();
    for (const Place& place : places)
      add_stage(place);
    return record_;
  }

 private:
  void add_stage(const Place& place) {
    EvalStage stage;
    stage.name = place.name;
    stage.option = place.option;
    stage.prompt_tokens = 200 + place.fresh;
    stage.reused_tokens = 200;
    stage.prefill_ms = 3.1 * place.fresh * (1 + 0.1 * own_.share());
    const double wanted = place.tokens * behaviour_.length * (0.7 + 0.6 * common_.share());
    stage.tokens = behaviour_.is_direct ? 0 : static_cast<int>(wanted + 4 * own_.share());
    stage.decode_ms = 11 * behaviour_.per_token * stage.tokens * (1 + 0.05 * own_.share());
    stage.text = words(common_, own_, stage.tokens) + " " + hostile(question_);
    stage.stop_reason = behaviour_.is_direct ? StopReason::choice : StopReason::stop_string;
    stage.mask = behaviour_.policy == "full" || behaviour_.is_direct ? "none" : "f4-7,a20";
    stage.prefill_mask = "none";
    record_.total_ms += stage.prefill_ms + stage.decode_ms;
    record_.stages.push_back(stage);
  }

  const Behaviour& behaviour_;
  int question_;
  TimeNoise common_;
  TimeNoise own_;
  EvalRecord record_;
};

/// What a task is made of.
struct Task {
  std::string name;
  std::string program;
  std::vector<Behaviour> policies;
  std::vector<Place> places;
  std::vector<Option> options;
  int questions = 0;
  int full_right = 0;
};

void add_task(EvalRun& run, const Task& task) {
  for (const Behaviour& behaviour : task.policies) {
    const std::size_t arm = run.header.arms.size();
    run.header.arms.push_back({task.name,
                               behaviour.policy,
                               behaviour.is_direct ? "direct" : task.program,
                               "abcd",
                               "Example 0.5B",
                               "ef01",
                               behaviour.policy,
                               {}});
    int right = 0;
    int wrong = 0;
    for (int i = 0; i < task.questions; ++i) {
      // Full's right answers are spread over the questions evenly.
      const bool full_is_right =
          (i + 1) * task.full_right / task.questions > i * task.full_right / task.questions;
      const bool differs = full_is_right ? right++ < behaviour.lost : wrong++ < behaviour.gained;
      const std::vector<Place> places =
          behaviour.is_direct ? std::vector<Place>{{"answer", "", 60, 0}} : task.places;
      run.records.push_back(
          RecordMaker(behaviour, arm, i)
              .make(places, full_is_right, full_is_right != differs, task.options));
    }
  }
}

}  // namespace

EvalRun report_example_run(int questions) {
  EvalRun run;
  run.header.machine = "a processor & its features";
  run.header.threads = 2;
  run.header.seed = 7;
  run.header.litestage_version = "0.1.0";
  run.header.ggml_version = "0.25.3";
  run.header.created = "2026-01-31T12:00:00Z";
  const std::vector<Option> options = {
      {"A", "a candle"}, {"B", "the sun"}, {"C", "a <i>rod</i>"}, {"D", "the moon"}};
  add_task(run, {"openbookqa",
                 "recall-analyze-summarize",
                 OPENBOOKQA,
                 {{"recall", "", 60, 30},
                  {"analyze", "A", 20, 22},
                  {"analyze", "B", 20, 22},
                  {"analyze", "C", 20, 22},
                  {"summarize", "", 100, 14}},
                 options,
                 questions,
                 questions * 3 / 5});
  add_task(run, {"gsm8k",
                 "plan-solve",
                 GSM8K,
                 {{"plan", "", 80, 60}, {"solve", "", 30, 110}, {"answer", "", 20, 8}},
                 {},
                 questions / 3,
                 questions / 6});
  run.header.arms[5].tuned_on = {fmt::format("{:016x}", 3), fmt::format("{:016x}", 4), "other"};
  return run;
}

ReportInput report_example() {
  ReportInput input;
  input.runs.push_back({"example.jsonl", report_example_run()});
  input.importances.push_back(importance_example());
  input.searches.push_back(example_search());
  return input;
}

}  // namespace litestage::test
