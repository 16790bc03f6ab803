#pragma once

#include <memory>
#include <span>
#include <vector>

#include "litestage/decoder.h"
#include "support/temporary.h"
#include "support/tiny_model.h"

namespace litestage::test {

/// A tiny model on disk, and loaded; the file goes when this object does.
class LoadedTiny {
 public:
  explicit LoadedTiny(const TinyOptions& options) : LoadedTiny(TinyModel(options)) {}
  explicit LoadedTiny(const TinyModel& model);

  std::filesystem::path file() const { return folder_ / "tiny.gguf"; }
  const std::shared_ptr<const Model>& model() const { return model_; }
  int vocabulary_size() const { return model_->vocabulary_size(); }

 private:
  TemporaryFolder folder_;
  std::shared_ptr<const Model> model_;
};

/// Small and quick: 256 cells, one thread.
DecoderOptions small_decoder();

/// So few that a cache is often full.
inline constexpr int FEW_CELLS = 48;
/// FEW_CELLS in F32, one thread, flash attention.
DecoderOptions few_cells(MissingKv missing_kv);

/// Tokens of one sequence, logits wanted of all of them.
std::vector<BatchToken> batch_of(std::span<const Token> tokens, SequenceId sequence = 0);

/// Appends tokens in one call. @return [tokens][vocabulary_size]
std::vector<float> all_logits(Decoder& decoder, std::span<const Token> tokens,
                              const SublayerMask& mask = {}, SequenceId sequence = 0);

/// Appends tokens one a call. @return [tokens][vocabulary_size]
std::vector<float> stepwise_logits(Decoder& decoder, std::span<const Token> tokens,
                                   const SublayerMask& mask = {}, SequenceId sequence = 0);

}  // namespace litestage::test
