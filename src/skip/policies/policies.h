#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "skip/policy_kind.h"

namespace litestage {

/// All policies, each in the file of its name (model in other_model.cpp: model.cpp belongs to the
/// public header of that name); docs/policies.md describes them.
PolicyKind full_policy();
PolicyKind direct_policy();
PolicyKind litestage_policy();
PolicyKind adaskip_policy();
PolicyKind skipdecode_policy();
PolicyKind unifiedskip_policy();
PolicyKind layer_early_exit_policy();
PolicyKind random_policy();
PolicyKind requant_policy();
PolicyKind model_policy();

/// A policy whose mask is the same for all stages, for reading and writing, and never changes.
class FixedMaskPolicy : public SkipPolicy {
 public:
  explicit FixedMaskPolicy(SublayerMask mask) : mask_(std::move(mask)) {}
  StageSettings settings(std::string_view /*stage*/) const override {
    return StageSettings::with_mask(mask_);
  }

 private:
  SublayerMask mask_;
};

/// Leaves out both sublayers of a layer.
inline void skip_layer(SublayerMask& mask, int layer) {
  mask.skip(Sublayer::attention, layer);
  mask.skip(Sublayer::ffn, layer);
}

}  // namespace litestage
