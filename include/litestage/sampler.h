#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "litestage/tokenizer.h"

struct llama_sampler;

namespace litestage {

/// Names and meanings as in llama.cpp.
struct SamplerOptions {
  float temperature = 0.0F;  ///< 0: greedy
  int top_k = 40;            ///< 0: all
  float top_p = 0.95F;
  float min_p = 0.0F;
  float repeat_penalty = 1.0F;
  std::uint32_t seed = 0;
  bool operator==(const SamplerOptions&) const = default;
};

/// Chooses the next token from logits, by libllama's sampler chain; greedy without a grammar is a
/// plain argmax. Deterministic for a seed.
class Sampler {
 public:
  /// @param grammar GBNF the text must follow, or empty
  /// @throws UserError when the grammar cannot be read
  Sampler(const Tokenizer& tokenizer, const SamplerOptions& options,
          const std::string& grammar = {});
  ~Sampler();
  Sampler(Sampler&&) noexcept;

  /// @param logits vocabulary_size values
  Token sample(std::span<const float> logits);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Index of the largest value; the first one of equals.
Token argmax(std::span<const float> logits);

}  // namespace litestage
