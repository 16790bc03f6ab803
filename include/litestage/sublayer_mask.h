#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace litestage {

/// The two sublayers of a decoder layer; each adds its output to the residual stream.
enum class Sublayer : std::uint8_t { attention, ffn };

/// The most layers a model may have here; no dense model that fits one machine comes near it.
inline constexpr int MAX_LAYERS = 512;

/// Which sublayers a forward pass leaves out: one bit for attention and one for FFN, a layer.
///
/// A skipped sublayer is the identity on the residual stream or, with a scale, multiplies it by a
/// constant (norm-ratio compensation, AdaSkip). The default mask skips nothing and fits every
/// model.
class SublayerMask {
 public:
  /// Reads the short form: items joined by commas, each `a` (attention) or `f` (FFN), a layer or a
  /// range of layers, and optionally `*` and a scale: `a3,f10-12,a5*1.04`. Empty text and `none`
  /// skip nothing.
  /// @param n_layers layers of the model the mask is for
  /// @param where the flag or key the text came from, for the error
  /// @throws UserError when the text is no mask or names a layer the model does not have
  static SublayerMask parse(std::string_view text, int n_layers, std::string_view where = "mask");

  /// Leaves out one sublayer; the residual stream is multiplied by `scale` in its place.
  void skip(Sublayer sublayer, int layer, float scale = 1.0F);
  /// Takes a sublayer in again.
  void keep(Sublayer sublayer, int layer);

  bool skips(Sublayer sublayer, int layer) const;
  /// The factor in a skipped sublayer's place; 1 for a kept one.
  float scale(Sublayer sublayer, int layer) const;
  /// How many sublayers are left out.
  std::size_t skipped_count() const { return attention_.count() + ffn_.count(); }
  bool empty() const { return skipped_count() == 0; }
  /// The highest layer that is named, or -1.
  int last_layer() const;

  /// The layers whose attention is left out: a KV cell written under this mask lacks those layers.
  const std::bitset<MAX_LAYERS>& skipped_attention() const { return attention_; }

  /// The short form, shortest ranges first by layer; "none" when nothing is skipped.
  std::string to_string() const;

  bool operator==(const SublayerMask&) const = default;

 private:
  std::bitset<MAX_LAYERS> attention_;
  std::bitset<MAX_LAYERS> ffn_;
  std::map<int, float> scales_;  // key: 2 * layer + (ffn ? 1 : 0); only scales other than 1
};

}  // namespace litestage
