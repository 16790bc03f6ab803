#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/pipeline.h"

namespace litestage {

/// One arm of an evaluation: a policy on a task, with all that decides its answers.
struct EvalArm {
  std::string task;     ///< "openbookqa"
  std::string policy;   ///< as the user wrote it: "adaskip:k=8"
  std::string program;  ///< name
  std::string program_hash;
  std::string model_name;
  std::string model_hash;
  /// Masks, exit rules, parameters: whatever else the policy consists of, as text that is equal
  /// exactly when the policy is.
  std::string settings;
  /// Questions of this task that the policy was tuned on (question_hash); empty for most.
  std::vector<std::string> tuned_on;
  bool operator==(const EvalArm&) const = default;
};

/// The first line of a records file.
struct EvalHeader {
  static constexpr int SCHEMA_VERSION = 1;

  std::vector<EvalArm> arms;
  std::string machine;
  int threads = 0;
  std::uint32_t seed = 0;
  std::string litestage_version;
  std::string ggml_version;
  std::string created;  ///< ISO 8601, UTC
};

/// One stage, or one branch of it, as QuestionRecord has it.
using EvalStage = StageRecord;

/// One question answered by one arm: every further line.
struct EvalRecord {
  int arm = 0;  ///< index into the header's arms
  std::string id;
  std::string question_hash;
  std::string question;  ///< text
  std::vector<Option> options;
  std::string gold;
  std::string prediction;  ///< empty when none was found
  bool correct = false;
  std::vector<EvalStage> stages;
  /// 0, and so are those of its stages, when the question was answered beside others: such times
  /// tell nothing of one that has the machine to itself.
  double total_ms = 0;

  bool timed() const { return total_ms > 0; }
};

/// A whole records file.
struct EvalRun {
  EvalHeader header;
  std::vector<EvalRecord> records;  ///< in the order they were written
};

/// One line, without its end; docs/evaluation.md has the fields. Control characters in names become
/// spaces, bytes that are no UTF-8 the replacement character.
std::string to_json_line(const EvalHeader& header);
std::string to_json_line(const EvalRecord& record);

/// Reads a records file. A last line without a line end is what a killed run leaves: it is passed
/// over.
/// @throws UserError naming file, line and key for anything missing, of the wrong type or out of
/// range, an arm that the header lacks, or a question answered twice by one arm
EvalRun load_eval_run(const std::string& path);
EvalRun parse_eval_run(std::string_view text, const std::string& where);

}  // namespace litestage
