#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/model_options.h"
#include "litestage/dataset.h"
#include "litestage/decoder.h"

namespace litestage::app {

/// Which KV of earlier stages a stage goes on from, as --kv names it.
enum class StageKv { whole, exact, none };

/// What `litestage run` was asked for.
struct RunSettings {
  ModelArguments model;
  DecoderOptions decoder;
  std::string question;              ///< text, may carry options: "Which? (A) iron (B) wool"
  std::vector<std::string> options;  ///< of the question, as texts
  std::string file;                  ///< question set; "-": standard input
  DatasetOptions dataset;
  std::string program;             ///< name or path; empty: as the question asks, or as fits it
  std::vector<std::string> plans;  ///< paths, one a program; masks below count for more
  std::string plan_program;        ///< of a single plan: for questions that ask for none
  bool model_named = false;        ///< by a flag or the environment; else a plan says which
  bool compare_full = false;       ///< answer every question with the full model as well
  std::string mask;
  std::vector<std::string> stage_masks;  ///< STAGE=MASK each
  int votes = 1;
  std::optional<double> leave_at;    ///< as in EarlyAnswers; not given: as the plan says
  bool ask_first = false;            ///< or as the plan says
  std::optional<int> most_branches;  ///< the same
  std::optional<StageKv> kv;         ///< not given: as the plan says, else exact
  bool branches_in_turn = false;
  bool merge_branches = false;
  bool exit_rules = true;  ///< whether texts end by a plan's rules
  std::uint32_t seed = 0;
  bool json = false;
  bool summary = false;
};

/// Answers the questions; returns the exit code.
int run_questions(const RunSettings& given);

}  // namespace litestage::app
