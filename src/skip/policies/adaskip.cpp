// AdaSkip (He and others, AAAI 2025): the sublayers that change the residual stream least, by what
// prefills have shown, and then the FFNs that change it little in the very text that is written.

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/plain_number.h"
#include "base/row_change.h"
#include "skip/policies/policies.h"
#include "skip/policy_budget.h"

namespace litestage {
namespace {

/// Tokens of a text that are watched.
constexpr int WATCHED = 20;

bool is_cosine_or_off(std::string_view value) {
  return value == "off" || decimal_number(value).value_or(2) <= 1;
}

bool is_on_or_off(std::string_view value) {
  return value == "on" || value == "off";
}

struct SublayerName {
  Sublayer sublayer = Sublayer::attention;
  int layer = 0;
};

/// What stands in a skipped sublayer's place. A ratio of zero or none would end the text in noise.
float factor(double norm_ratio) {
  return std::isfinite(norm_ratio) && norm_ratio > 0 ? static_cast<float>(norm_ratio) : 1.0F;
}

/// All sublayers by falling cosine; of equal ones the lower layer first, attention before FFN.
std::vector<SublayerName> by_cosine(const PolicyStatistics& statistics) {
  std::vector<SublayerName> order;
  for (int layer = 0; layer < statistics.layer_count(); ++layer) {
    for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
      assert(std::isfinite(statistics.of(sublayer, layer).cosine));
      order.push_back({sublayer, layer});
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](const auto& left, const auto& right) {
    return statistics.of(left.sublayer, left.layer).cosine >
           statistics.of(right.sublayer, right.layer).cosine;
  });
  return order;
}

/// Watches the FFNs of a text's first tokens, all branches together, and then leaves out those
/// whose mean cosine is high enough as well.
class AdaskipSchedule : public MaskSchedule {
 public:
  AdaskipSchedule(SublayerMask mask, int layers, double threshold, bool compensate)
      : mask_(std::move(mask)), threshold_(threshold), compensate_(compensate) {
    for (int layer = 0; layer < layers; ++layer) {
      if (mask_.skips(Sublayer::ffn, layer)) continue;
      ffns_.push_back({.layer = layer});
      taps_.push_back({TapPoint::attn_out, layer});
      taps_.push_back({TapPoint::ffn_out, layer});
    }
  }

  SublayerMask next(int /*written*/) override { return mask_; }

  std::span<const Tap> taps() const override {
    return steps_ < WATCHED ? std::span<const Tap>(taps_) : std::span<const Tap>();
  }

  void observe(const ForwardResult& step) override {
    if (steps_ >= WATCHED) return;
    const auto rows = static_cast<std::size_t>(step.rows);
    for (std::size_t i = 0; i < ffns_.size(); ++i) {
      const std::size_t width = step.taps[2 * i].size() / rows;
      for (std::size_t row = 0; row < rows; ++row) {
        const RowChange change = compare_rows(step.taps[2 * i].subspan(row * width, width),
                                              step.taps[2 * i + 1].subspan(row * width, width));
        ffns_[i].cosine += static_cast<double>(change.cosine);
        ffns_[i].norm_ratio += static_cast<double>(change.norm_ratio);
      }
    }
    rows_ += step.rows;
    if (++steps_ == WATCHED) leave_out_more();
  }

 private:
  /// Sums over the rows seen.
  struct WatchedFfn {
    int layer = 0;
    double cosine = 0;
    double norm_ratio = 0;
  };

  void leave_out_more() {
    for (const WatchedFfn& ffn : ffns_) {
      if (ffn.cosine / rows_ < threshold_) continue;
      mask_.skip(Sublayer::ffn, ffn.layer, compensate_ ? factor(ffn.norm_ratio / rows_) : 1.0F);
    }
  }

  SublayerMask mask_;
  double threshold_;
  bool compensate_;
  std::vector<WatchedFfn> ffns_;
  std::vector<Tap> taps_;  // input and output of each of them
  int steps_ = 0;
  int rows_ = 0;
};

class AdaskipPolicy : public SkipPolicy {
 public:
  AdaskipPolicy(const PolicySpec& spec, const PolicyStatistics& statistics)
      : layers_(statistics.layer_count()), compensate_(parameter(spec, "compensate") != "off") {
    const std::vector<SublayerName> order = by_cosine(statistics);
    const int skipped =
        budget_units(spec, statistics.decode_ms,
                     {.most = 2 * layers_ - 1, .saved_ms = [&](int units) {
                        return saved_ms(first_of(order, units, statistics), statistics);
                      }});
    mask_ = first_of(order, skipped, statistics);
    const SublayerName& least = order[static_cast<std::size_t>(skipped) - 1];
    const std::string_view online = parameter(spec, "online");
    online_ = online != "off";
    threshold_ = decimal_number(online).value_or(statistics.of(least.sublayer, least.layer).cosine);
  }

  StageSettings settings(std::string_view /*stage*/) const override {
    return StageSettings::with_mask(mask_);
  }

  MaskScheduleFactory schedules() const override {
    if (!online_) return {};
    return [policy = *this](std::string_view, int) {
      return std::make_unique<AdaskipSchedule>(policy.mask_, policy.layers_, policy.threshold_,
                                               policy.compensate_);
    };
  }

 private:
  SublayerMask first_of(const std::vector<SublayerName>& order, int count,
                        const PolicyStatistics& statistics) const {
    SublayerMask mask;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const auto [sublayer, layer] = order[i];
      mask.skip(sublayer, layer,
                compensate_ ? factor(statistics.of(sublayer, layer).norm_ratio) : 1.0F);
    }
    return mask;
  }

  int layers_;
  bool compensate_;
  bool online_ = true;
  double threshold_ = 1;
  SublayerMask mask_;
};

std::unique_ptr<SkipPolicy> make_adaskip(const PolicySpec& spec, const PolicyInputs& inputs) {
  return std::make_unique<AdaskipPolicy>(spec, *inputs.statistics);
}

}  // namespace

PolicyKind adaskip_policy() {
  return {
      .name = "adaskip",
      .parameters = with_budget({{"online", "a cosine from 0 to 1, or off", is_cosine_or_off},
                                 {"compensate", "on or off", is_on_or_off}}),
      .help = {"adaskip:k=N|save=PERCENT[,online=COSINE|off][,compensate=off]",
               "the sublayers of highest cosine, scaled by their norm ratio; later in a text also "
               "the FFNs that its first 20 tokens show to change little",
               "He et al., AdaSkip, AAAI 2025, arXiv 2501.02336"},
      .source = PolicySource::statistics,
      .make = make_adaskip};
}

}  // namespace litestage
