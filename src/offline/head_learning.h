#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/statistics.h"
#include "litestage/decoder.h"
#include "litestage/head_preview.h"

namespace litestage {

/// What the head reads: rows of n_embd floats, after the final norm.
struct HiddenStates {
  std::size_t width = 0;  ///< n_embd
  std::vector<float> values;

  std::size_t count() const { return width == 0 ? 0 : values.size() / width; }
  std::span<const float> row(std::size_t index) const {
    return std::span(values).subspan(index * width, width);
  }
};

/// The hidden states of all tokens of some texts, read with nothing left out.
/// @param texts each a sequence of its own, no longer than the context
/// @param progress called with texts done and all of them; false stops
/// @return nothing when it was stopped
std::optional<HiddenStates> hidden_states(Decoder& decoder,
                                          const std::vector<std::vector<Token>>& texts,
                                          const std::function<bool(int, int)>& progress = {});

/// Fewer say too little of where hidden states lie.
inline constexpr std::size_t FEWEST_HEAD_STATES = 256;

struct HeadLearningOptions {
  /// Numbers of dimensions that are tried; those above the model's own are left out. All dimensions
  /// in 4 bits are tried in any case.
  std::vector<int> ranks = {256, 384, 512};
  int proposals = 3072;  ///< rows that pass two computes, at least
  int threads = 1;
};

/// Why no preview can help this model, as "its head lies on a device"; empty: one may.
std::string no_preview_helps(const Model& model);

/// A preview, with the values of its tensors.
struct LearnedHead {
  HeadPreviewInfo info;
  std::vector<float> projection;  ///< [rank][n_embd]; empty when all dimensions are looked at
  std::vector<std::byte> matrix;  ///< [n_vocab][rank], Q4_0
  double expected_bytes = 0;      ///< a token, whole heads that are needed after all included
};

struct HeadLearningProgress {
  std::string what;
  int done = 0;
  int total = 0;
};

/// Learns previews and takes the one that reads the fewest bytes a token, counting those tokens for
/// which the whole head is needed after all.
///
/// Three quarters of the states give the directions (head_preview.h), the others each preview's
/// margin: the least under which none of them would get another token than by the full head.
/// @param states at least FEWEST_HEAD_STATES
/// @param progress false stops
/// @return nothing when it was stopped
/// @throws UserError for too few states, or a head that lies on a device
std::optional<LearnedHead> learn_head(
    const Model& model, const HiddenStates& states, const HeadLearningOptions& options,
    const std::function<bool(const HeadLearningProgress&)>& progress = {});

/// How a preview did on texts that it was not learned from.
struct HeadCheck {
  long tokens = 0;
  long missed = 0;  ///< another token than by the full head, where that one's was clear
  long full = 0;    ///< the whole head was computed after all

  /// Upper end of the one-sided 95 % interval for the share missed (Clopper and Pearson).
  double missed_bound() const;
};

/// Reads texts twice, with the full head and with the decoder's preview, and compares the tokens
/// that greedy decoding would take behind each position. Where the full head's best two logits are
/// closer than rounding (1e-4 of the larger), either counts as the same.
/// @param decoder with a preview
/// @param progress called with tokens done and the check so far; false stops, with what there is
HeadCheck check_head(Decoder& decoder, const std::vector<std::vector<Token>>& texts,
                     const std::function<bool(const HeadCheck&)>& progress = {});

/// What decoding steps take with the full head and with the preview, in turns on the same tokens.
struct HeadTiming {
  int texts = 0;          ///< timed; 0: none was long enough
  double full_ms = 0;     ///< a step, mean
  double preview_ms = 0;  ///< whole heads that were needed after all included
  Ratio speedup;          ///< full / preview, a pair a text
};

/// Steps through the later tokens of some texts twice, once a head, the order turned at every text.
/// @param decoder with a preview
/// @param texts those of less than some 50 tokens are passed over
/// @param most texts that are timed
HeadTiming time_head(Decoder& decoder, const std::vector<std::vector<Token>>& texts, int most);

/// What a preview may miss to be taken without anyone's asking: one token in so many, as observed.
inline constexpr long TOKENS_A_MISS = 10'000;

/// Why a preview is not worth having, by what was measured of it: it misses more than that, was
/// checked on too few tokens to tell, or is not faster with 95 % confidence. Empty: it is.
std::string not_worth_having(const HeadCheck& check, const HeadTiming& timing);

}  // namespace litestage
