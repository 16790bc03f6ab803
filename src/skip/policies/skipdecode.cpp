// SkipDecode (Del Corro and others, arXiv 2307.02628): the further on in a text, the fewer layers.
// Those left out are the lower ones and only get more, so that no token looks for KV that an
// earlier one has not written.

#include "skip/policies/skipdecode.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/plain_number.h"
#include "skip/policies/policies.h"
#include "skip/policy_budget.h"

namespace litestage {
namespace {

/// Any length will do to see whether a share of the time can be saved at all: the largest budget
/// leaves out the same layers everywhere.
constexpr int SOME_LENGTH = 128;

bool is_layer_count(std::string_view value) {
  return whole_number(value, MAX_LAYERS).has_value();
}

class SkipdecodeSchedule : public MaskSchedule {
 public:
  SkipdecodeSchedule(SkipdecodeRule rule, int max_tokens) : rule_(rule), max_tokens_(max_tokens) {}
  SublayerMask next(int written) override { return rule_.mask_at(written, max_tokens_); }

 private:
  SkipdecodeRule rule_;
  int max_tokens_;
};

int layers_kept(const PolicySpec& spec) {
  const std::string_view given = parameter(spec, "keep");
  return given.empty() ? SkipdecodeRule{}.keep : static_cast<int>(*whole_number(given, MAX_LAYERS));
}

/// All that decides the rule for a text but the text's length.
class SkipdecodePolicy : public SkipPolicy {
 public:
  SkipdecodePolicy(PolicySpec spec, const PolicyStatistics& statistics)
      : spec_(std::move(spec)), keep_(layers_kept(spec_)), decode_ms_(statistics.decode_ms) {
    SublayerMask mask;
    for (int layer = keep_; layer < statistics.layer_count() - 1; ++layer) {
      skip_layer(mask, layer);
      saved_ms_.push_back(saved_ms(mask, statistics));
    }
    rule_for(SOME_LENGTH);
  }

  /// The context is read by the whole model.
  StageSettings settings(std::string_view /*stage*/) const override { return {}; }

  MaskScheduleFactory schedules() const override {
    return [policy = *this](std::string_view, int max_tokens) {
      return std::make_unique<SkipdecodeSchedule>(policy.rule_for(max_tokens), max_tokens);
    };
  }

 private:
  SkipdecodeRule rule_for(int max_tokens) const {
    const auto available = static_cast<int>(saved_ms_.size()) - 1;
    const auto rule = [&](int units) { return skipdecode_rule(keep_, available, units); };
    const auto mean_saved = [&](int units) {
      const int steps = std::max(1, max_tokens - 1);
      double sum = 0;
      for (int written = 1; written <= steps; ++written)
        sum += saved_ms_[static_cast<std::size_t>(rule(units).layers_at(written, max_tokens))];
      return sum / steps;
    };
    return rule(budget_units(spec_, decode_ms_, {.most = 2 * available, .saved_ms = mean_saved}));
  }

  PolicySpec spec_;
  int keep_;
  double decode_ms_;                    // of a written token, nothing left out
  std::vector<double> saved_ms_ = {0};  // of these by so many layers less
};

std::unique_ptr<SkipPolicy> make_skipdecode(const PolicySpec& spec, const PolicyInputs& inputs) {
  return std::make_unique<SkipdecodePolicy>(spec, *inputs.statistics);
}

}  // namespace

int SkipdecodeRule::layers_at(int written, int max_tokens) const {
  // The last token of a text is never read: it has max_tokens - 1 steps.
  const int last = max_tokens - 1;
  if (last <= 1) return (at_start + at_end + 1) / 2;
  const int gone = std::min(written, last) - 1;
  return at_start + (2 * (at_end - at_start) * gone + (last - 1)) / (2 * (last - 1));
}

SublayerMask SkipdecodeRule::mask_at(int written, int max_tokens) const {
  SublayerMask mask;
  const int count = layers_at(written, max_tokens);
  for (int layer = keep; layer < keep + count; ++layer)
    skip_layer(mask, layer);
  return mask;
}

SkipdecodeRule skipdecode_rule(int keep, int available, int sublayers) {
  const int at_end = std::min(sublayers, available);
  return {.keep = keep, .at_start = sublayers - at_end, .at_end = at_end};
}

PolicyKind skipdecode_policy() {
  return {.name = "skipdecode",
          .parameters = with_budget({{"keep", "a number of layers", is_layer_count}}),
          .help = {"skipdecode:k=N|save=PERCENT[,keep=LAYERS]",
                   "the lower layers, more of them the longer the text gets",
                   "Del Corro et al., SkipDecode, 2023, arXiv 2307.02628"},
          .source = PolicySource::statistics,
          .make = make_skipdecode};
}

}  // namespace litestage
