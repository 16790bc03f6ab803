#pragma once

#include <string>
#include <vector>

#include "app/model_options.h"
#include "litestage/dataset.h"
#include "litestage/decoder.h"
#include "offline/plan_search.h"

namespace litestage::app {

/// What `litestage search` or `litestage tune` was asked for.
struct SearchSettings {
  ModelArguments model;
  DecoderOptions decoder;
  std::string program;
  std::vector<std::string> questions;  ///< paths of the sets
  DatasetOptions dataset;
  std::uint32_t seed = 0;  ///< of the questions' order
  PlanSearchOptions search;
  std::string start;       ///< plan whose masks and rules are kept; empty: all is searched
  std::string importance;  ///< empty: beside the plan; `tune` measures it where it is missing
  std::string output = "plan.json";
  std::string memo;  ///< empty: beside the plan
  bool json = false;
};

/// The files beside a plan: all that it came from.
struct PlanFiles {
  std::string importance;  ///< PLAN.importance.json
  std::string masks;       ///< PLAN.search.json
  std::string masks_page;  ///< PLAN.search.html
  std::string exits;       ///< PLAN.exit.json
  std::string exits_page;  ///< PLAN.exit.html
  std::string memo;        ///< PLAN.memo

  /// @param plan path, with or without .json at its end
  static PlanFiles beside(const std::string& plan);
};

/// Searches a plan; returns the exit code.
/// @param ranks share the questions, the first one does all else; null: this process is alone
int run_search(const SearchSettings& settings, Ranks* ranks);

/// The same, with a preview of the head learned first unless one is there or said (tune_head.h),
/// then the importance measured unless there is one.
int run_tune(const SearchSettings& settings, Ranks* ranks);

/// What `litestage retime` was asked for.
struct RetimeSettings {
  ModelArguments model;
  bool model_named = false;  ///< else the plan says which
  DecoderOptions decoder;
  std::string plan;
  std::vector<std::string> questions;  ///< the sets the plan was searched on
  DatasetOptions dataset;
  std::string output;  ///< empty: in the plan's place
  std::string memo;
  int parallel = PlanSearchOptions{}.parallel;
};

/// The questions a plan was searched on, in the search's order, out of the sets they came from.
/// @param where the sets, for errors
/// @throws UserError when the sets lack some
std::vector<Question> questions_of_plan(const Plan& plan, const std::vector<Question>& set,
                                        const std::string& where);

/// Measures the candidates of a plan's search anew on this machine and chooses again.
int run_retime(const RetimeSettings& given);

}  // namespace litestage::app
