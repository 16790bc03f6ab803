#include "support/direct_changes.h"

#include <cmath>

#include "support/decoder_tools.h"

namespace litestage::test {

DirectChange direct_change(std::span<const float> in, std::span<const float> out) {
  double dot = 0;
  double in_square = 0;
  double out_square = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    dot += static_cast<double>(in[i]) * static_cast<double>(out[i]);
    in_square += static_cast<double>(in[i]) * static_cast<double>(in[i]);
    out_square += static_cast<double>(out[i]) * static_cast<double>(out[i]);
  }
  return {dot / std::sqrt(in_square * out_square), std::sqrt(out_square / in_square)};
}

std::vector<std::array<DirectChange, 2>> direct_means(Decoder& decoder,
                                                      const std::vector<Token>& tokens,
                                                      std::size_t begin, std::size_t end) {
  const int layers = decoder.model().layer_count();
  const auto width = static_cast<std::size_t>(decoder.model().embedding_size());
  std::vector<Tap> taps;
  for (int layer = 0; layer < layers; ++layer) {
    taps.push_back({TapPoint::layer_in, layer});
    taps.push_back({TapPoint::attn_out, layer});
    taps.push_back({TapPoint::ffn_out, layer});
  }
  decoder.clear();
  const ForwardResult result = decoder.forward(batch_of(tokens), {}, taps);
  std::vector<std::array<DirectChange, 2>> means(static_cast<std::size_t>(layers));
  for (std::size_t layer = 0; layer < means.size(); ++layer) {
    for (std::size_t sublayer = 0; sublayer < 2; ++sublayer) {
      for (std::size_t token = begin; token < end; ++token) {
        const DirectChange change =
            direct_change(result.taps[3 * layer + sublayer].subspan(token * width, width),
                          result.taps[3 * layer + sublayer + 1].subspan(token * width, width));
        means[layer][sublayer].cosine += change.cosine / static_cast<double>(end - begin);
        means[layer][sublayer].norm_ratio += change.norm_ratio / static_cast<double>(end - begin);
      }
    }
  }
  return means;
}

}  // namespace litestage::test
