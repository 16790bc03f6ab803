#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/generation_early_exit.h"
#include "litestage/sublayer_mask.h"

namespace litestage {

class Model;

/// How one stage is run: what is left out while its context is read, what is left out while its
/// text is written, and when the text ends.
///
/// Attention that is left out while reading must be left out while writing too: a written token
/// attends to the context's KV.
struct StageSettings {
  SublayerMask prefill;
  SublayerMask decode;
  ExitRule exit;

  bool operator==(const StageSettings&) const = default;
  /// The same mask for both.
  static StageSettings with_mask(const SublayerMask& mask) { return {mask, mask, {}}; }
};

/// How much of a program a question with options goes through, by what the model would answer as
/// things stand: after each stage but the last, as long as something can come of it, the program's
/// early answer is asked for.
struct EarlyAnswers {
  static constexpr double NEVER = 2;

  /// Where the likeliest option is this much likelier than the next (a probability among the
  /// options), it is the answer and the stages left are left out. Above 1: never.
  double leave_at = NEVER;
  /// A for_each stage writes for so many of the options alone: those that are the likeliest as an
  /// early answer before it. 0: for all.
  int most_branches = 0;
  /// It is asked for before the first stage too, where all stages can be left out.
  bool ask_first = false;

  bool any() const { return leave_at <= 1 || most_branches > 0; }
  bool operator==(const EarlyAnswers&) const = default;
};

/// "exact", "whole"
std::string_view to_string(KvReuse reuse);

/// How right a plan is, beside the full model on the same questions.
struct MeasuredAccuracy {
  int questions = 0;
  int full_correct = 0;
  int plan_correct = 0;
  int lost = 0;    ///< right with the full model alone
  int gained = 0;  ///< right with the plan alone
  /// Upper end of a one-sided interval for the loss, in points (per cent of questions).
  double loss_bound = 0;
  double bound_level = 0.95;

  double loss() const;  ///< points: 100 * (lost - gained) / questions
  bool operator==(const MeasuredAccuracy&) const = default;
};

/// How fast a plan is, beside the full model, in runs that took turns.
struct MeasuredLatency {
  int questions = 0;
  int repeats = 0;
  double full_ms = 0;  ///< mean of a question
  double plan_ms = 0;
  double speedup = 1;  ///< full / plan, with its 95 % interval
  double speedup_low = 0;
  double speedup_high = 0;  ///< infinity when a single pair of runs tells nothing
  double full_tokens = 0;   ///< written for a question, mean
  double plan_tokens = 0;
  bool operator==(const MeasuredLatency&) const = default;
};

/// Where a plan comes from. An empty text, or 0 threads, says nothing.
struct PlanOrigin {
  std::string method = "hand";  ///< "latency", "paper", "hand"
  double max_loss = 0;          ///< points that were allowed
  std::string litestage_version;
  std::string ggml_version;
  std::string machine;  ///< processor and features that matter
  int threads = 0;
  std::string head;  ///< "full", "preview of 256 dimensions": of greedy stages, while it was timed
  std::uint32_t seed = 0;
  std::string question_set;            ///< file names without folders: "a.jsonl, b.jsonl"
  std::vector<std::string> questions;  ///< question_hash of each one it was tuned on
  std::string created;                 ///< ISO 8601, UTC: 2026-01-31T12:00:00Z
  bool operator==(const PlanOrigin&) const = default;
};

/// A plan: for each stage of one program on one model, the sublayers left out and the exit rule,
/// and when stages are left out altogether, with what was measured. Written by `litestage tune`,
/// read by `run --plan`; docs/plan.md has the schema.
struct Plan {
  static constexpr int SCHEMA_VERSION = 1;

  std::string model_name;
  std::string model_hash;
  int layers = 0;
  std::string program;
  std::string program_hash;
  KvReuse kv_reuse = KvReuse::exact;
  std::vector<std::pair<std::string, StageSettings>> stages;  ///< in the program's order
  EarlyAnswers early;
  std::optional<MeasuredAccuracy> accuracy;
  std::optional<MeasuredLatency> latency;
  PlanOrigin origin;

  const StageSettings* find(std::string_view stage) const;
  bool operator==(const Plan&) const = default;
};

/// @throws UserError naming file and key (as `stages[1].decode.f40`) for anything that is missing,
/// unknown, of the wrong type or out of range
Plan load_plan(const std::string& path);
Plan parse_plan(std::string_view json, const std::string& where);
/// The canonical form, which `parse_plan` reads back to the same plan; control characters in texts
/// become spaces.
std::string to_json(const Plan& plan);
/// Writes the file whole or not at all.
/// @throws UserError when it cannot be written
void save_plan(const Plan& plan, const std::string& path);

/// What `check_plan` found that does not forbid the plan: one sentence each, with the command that
/// mends it.
using PlanWarnings = std::vector<std::string>;

/// @param program, program_hash of the program at hand; stage_names in its order
/// @param where the plan's file, for messages
/// @param threads as in DecoderOptions: 0 is one a physical core
/// @throws UserError when the plan is for another model, lacks a stage of the program, or has one
/// that the program lacks
PlanWarnings check_plan(const Plan& plan, const Model& model, std::string_view program,
                        std::string_view program_hash, const std::vector<std::string>& stage_names,
                        const std::string& where, int threads = 0);

/// Identifies a model file without reading all of it: sha256 over its length, all metadata and
/// tensor descriptions, and the first 4 KiB of each tensor.
/// @throws UserError when the file cannot be read
std::string model_hash(const Model& model);

/// Processor name and the instruction sets ggml uses on it.
std::string machine_name();

}  // namespace litestage
