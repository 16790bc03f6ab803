#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/mask_schedule.h"
#include "litestage/plan.h"

namespace litestage {

/// A policy as the user writes it: `NAME[:KEY=VALUE,...][+exit]`, e.g. `adaskip:k=8`,
/// `skipdecode:save=10+exit`, `requant:Q4_0`, `litestage:plan.json`. A value without a key is the
/// policy's operand.
struct PolicySpec {
  std::string text;  ///< as written: the policy's name in records and reports
  std::string name;
  std::string operand;                            ///< "Q4_0", "plan.json"
  std::map<std::string, std::string> parameters;  ///< "k" -> "8"
  bool exit = false;                              ///< generation early exit is added
};

/// @throws UserError for an unknown policy (all known ones are named), an unknown, doubled or
/// malformed parameter, or one that is missing
PolicySpec parse_policy(std::string_view text);

/// Names and one line of help each, in the order they should be listed: those make_skip_policy
/// makes, and those that are another program or another model (full, direct, litestage, requant,
/// model).
struct PolicyHelp {
  std::string form;  ///< "adaskip:k=N|save=PERCENT"
  std::string text;  ///< what it does
  std::string citation;
};
const std::vector<PolicyHelp>& policy_help();

/// What is known of one sublayer over all stages of a program, from a profile.
struct SublayerStatistics {
  double cosine = 1;      ///< while reading, mean over tokens and stages
  double norm_ratio = 1;  ///< |output| / |input|, the same
  double decode_ms = 0;   ///< a written token
};

/// Calibration that all policies share: what the first prefills of a run would tell each of them.
struct PolicyStatistics {
  std::vector<std::array<SublayerStatistics, 2>> layers;  ///< [layer][Sublayer]
  double decode_ms = 0;                                   ///< a written token, nothing left out

  int layer_count() const { return static_cast<int>(layers.size()); }
  const SublayerStatistics& of(Sublayer sublayer, int layer) const {
    return layers[static_cast<std::size_t>(layer)][static_cast<std::size_t>(sublayer)];
  }
};

/// Decides which sublayers are left out, the same budget for every stage.
class SkipPolicy {
 public:
  virtual ~SkipPolicy() = default;

  /// What a stage leaves out while it is read and, before any schedule has a say, while its text is
  /// written.
  virtual StageSettings settings() const = 0;
  /// Empty for policies whose mask stays the same.
  virtual MaskScheduleFactory schedules() const { return {}; }
};

/// Makes one of the training-free rivals: adaskip, skipdecode, unifiedskip, layer-early-exit,
/// random. The budget is a number of sublayers (`k=8`) or a share of the measured milliseconds of a
/// written token (`save=10`, per cent): then k is the least that saves as much on average over a
/// text.
/// @param spec of one of these
/// @throws UserError when the budget cannot be met by this model, or `save` is asked for and the
/// statistics hold no milliseconds
std::unique_ptr<SkipPolicy> make_skip_policy(const PolicySpec& spec,
                                             const PolicyStatistics& statistics);

}  // namespace litestage
