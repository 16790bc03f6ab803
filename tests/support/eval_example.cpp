#include "support/eval_example.h"

namespace litestage::test {
namespace {

EvalArm arm(const std::string& task, const std::string& policy) {
  EvalArm arm;
  arm.task = task;
  arm.policy = policy;
  arm.program = "recall-analyze-answer";
  arm.program_hash = "00ff";
  arm.model_name = "Tiny";
  arm.model_hash = "abcd";
  arm.settings = policy == "full" ? "kv whole; all: none" : "kv whole; all: f1-2";
  if (policy != "full") arm.tuned_on = {"0000000000000001"};
  return arm;
}

StageRecord stage(const std::string& name, const std::string& option, double ms) {
  StageRecord stage;
  stage.name = name;
  stage.option = option;
  stage.text = "line one\nline \"two\"\t\u00e9";
  stage.prompt_tokens = 40;
  stage.reused_tokens = 12;
  stage.tokens = 20;
  stage.prefill_ms = ms / 4;
  stage.decode_ms = ms / 2;
  stage.stop_reason = StopReason::low_confidence;
  stage.mask = "f1-2";
  stage.prefill_mask = "none";
  return stage;
}

EvalRecord record(int arm, int question, double ms, bool correct) {
  EvalRecord record;
  record.arm = arm;
  record.id = "q" + std::to_string(question);
  record.question_hash = "000000000000000" + std::to_string(question);
  record.question = "Which?\nOf these.";
  record.options = {{"A", "one"}, {"B", "two"}};
  record.gold = "A";
  record.prediction = correct ? "A" : question == 2 ? "" : "B";
  record.correct = correct;
  record.stages = {stage("recall", "", ms / 2), stage("analyze", "A", ms / 4),
                   stage("analyze", "B", ms / 4)};
  record.total_ms = ms;
  return record;
}

}  // namespace

EvalRun eval_example() {
  EvalRun run;
  run.header.arms = {arm("one", "full"), arm("one", "adaskip:k=2"), arm("two", "full"),
                     arm("two", "adaskip:k=2")};
  run.header.machine = "a machine";
  run.header.threads = 2;
  run.header.seed = 7;
  run.header.litestage_version = "0.1.0";
  run.header.ggml_version = "0.25.3";
  run.header.created = "2026-01-31T12:00:00Z";
  for (int question = 0; question < 3; ++question) {
    run.records.push_back(record(0, question, 1000 + 100 * question, true));
    run.records.push_back(record(1, question, 500 + 10 * question, question != 1));
    run.records.push_back(record(3, question, 400, question != 2));
    run.records.push_back(record(2, question, 800, question == 0));
  }
  return run;
}

std::string eval_file(const EvalRun& run) {
  std::string text = to_json_line(run.header) + "\n";
  for (const EvalRecord& record : run.records)
    text += to_json_line(record) + "\n";
  return text;
}

}  // namespace litestage::test
