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

/// How a policy is written, one line on what it does, and where it comes from.
struct PolicyHelp {
  std::string form;      ///< "adaskip:k=N|save=PERCENT"
  std::string text;      ///< what it does
  std::string citation;  ///< empty where there is nobody to name
};
/// Of all policies, in the order they should be listed.
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

/// Decides what a run leaves out.
class SkipPolicy {
 public:
  virtual ~SkipPolicy() = default;

  /// What a stage leaves out while it is read and, before any schedule has a say, while its text is
  /// written; and when the text ends, where the policy itself has a say in that.
  virtual StageSettings settings(std::string_view stage) const = 0;
  /// Empty for policies whose masks stay the same.
  virtual MaskScheduleFactory schedules() const { return {}; }
  /// Which KV the stages go on from. Rivals compute none again that is there already; a plan does
  /// as it was searched.
  virtual KvReuse kv_reuse() const { return KvReuse::whole; }
  /// When stages are left out altogether.
  virtual EarlyAnswers early_answers() const { return {}; }
};

/// What a policy is made from. Which of them it needs, its kind says (policy_kind.h).
struct PolicyInputs {
  const PolicyStatistics* statistics = nullptr;
  const Plan* plan = nullptr;
};

/// Makes a policy. The budget of those that have one is a number of sublayers (`k=8`) or a share of
/// the measured milliseconds of a written token (`save=10`, per cent): then k is the least that
/// saves as much on average over a text.
/// @param inputs what the policy needs; it keeps none of it
/// @throws UserError when the budget cannot be met by this model, or `save` is asked for and the
/// statistics hold no milliseconds
std::unique_ptr<SkipPolicy> make_skip_policy(const PolicySpec& spec, const PolicyInputs& inputs);

}  // namespace litestage
