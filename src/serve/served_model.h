#pragma once

#include <memory>
#include <string>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/head_preview.h"
#include "litestage/plan.h"
#include "litestage/program.h"

namespace litestage::serve {

/// A name that clients can ask for, and what it stands for: the bare model, a program on the full
/// model, or a program as a plan runs it.
struct Offer {
  std::string id;
  std::shared_ptr<const Program> program;  ///< null: the bare model
  std::shared_ptr<const Plan> plan;        ///< null: nothing is left out
};

/// A model, and everything it is offered as.
struct ServedModel {
  std::shared_ptr<const Model> model;
  std::shared_ptr<const HeadPreview> preview;  ///< may be null
  DecoderOptions decoder;
  std::vector<Offer> offers;  ///< the bare model first; ids differ

  const Offer& bare() const { return offers.front(); }
  const Offer* find(const std::string& id) const;
  /// The offer of a program under a plan.
  /// @param plan the plan's part of an id (behind the @) or the whole id; "" for the program's
  /// first plan
  const Offer* find_plan(const std::string& program, const std::string& plan) const;
};

/// The id of a program under the plan of some file: "recall-analyze-answer@plan".
std::string plan_id(const std::string& program, const std::string& plan_file);

}  // namespace litestage::serve
