#pragma once

#include <memory>
#include <utility>

#include "skip/skip_policy.h"

namespace litestage {

/// The makers of all policies, each in the file of its name; docs/policies.md describes them.
/// @throws UserError when the budget cannot be met
std::unique_ptr<SkipPolicy> make_adaskip(const PolicySpec& spec,
                                         const PolicyStatistics& statistics);
std::unique_ptr<SkipPolicy> make_skipdecode(const PolicySpec& spec,
                                            const PolicyStatistics& statistics);
std::unique_ptr<SkipPolicy> make_unifiedskip(const PolicySpec& spec,
                                             const PolicyStatistics& statistics);
std::unique_ptr<SkipPolicy> make_layer_early_exit(const PolicySpec& spec,
                                                  const PolicyStatistics& statistics);
std::unique_ptr<SkipPolicy> make_random(const PolicySpec& spec, const PolicyStatistics& statistics);

/// A policy whose mask is the same for reading and writing and never changes.
class FixedMaskPolicy : public SkipPolicy {
 public:
  explicit FixedMaskPolicy(SublayerMask mask) : mask_(std::move(mask)) {}
  StageSettings settings() const override { return StageSettings::with_mask(mask_); }

 private:
  SublayerMask mask_;
};

/// Leaves out both sublayers of a layer.
inline void skip_layer(SublayerMask& mask, int layer) {
  mask.skip(Sublayer::attention, layer);
  mask.skip(Sublayer::ffn, layer);
}

}  // namespace litestage
