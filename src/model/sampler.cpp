#include "litestage/sampler.h"

#include <algorithm>
#include <vector>

#include <llama.h>

#include "base/highest_values.h"
#include "base/softmax.h"
#include "litestage/error.h"

namespace litestage {
namespace {

struct SamplerDeleter {
  void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
};

}  // namespace

struct Sampler::Impl {
  std::unique_ptr<llama_sampler, SamplerDeleter> chain;  // null: plain argmax
  int kept = 0;  // candidates that the chain's first sampler keeps, the highest; 0: all
  HighestValues highest;
  std::vector<llama_token_data> candidates;

  void choose_candidates(std::span<const float> logits);
};

/// What the chain looks at. Where it keeps but a few of the highest logits, those far below need
/// not be written down for it.
void Sampler::Impl::choose_candidates(std::span<const float> logits) {
  candidates.clear();
  const auto add = [&](std::size_t token) {
    candidates.push_back({static_cast<llama_token>(token), logits[token], 0.0F});
  };
  const std::size_t blocks = logits.size() / HighestValues::BLOCK;
  if (kept > 0 && static_cast<std::size_t>(kept) <= blocks) {
    highest.find(logits, kept);
    for (const int index : highest.indices())
      add(static_cast<std::size_t>(index));
  }
  if (!candidates.empty()) return;  // else all are wanted, or none is a number
  for (std::size_t token = 0; token < logits.size(); ++token)
    add(token);
}

Sampler::Sampler(const Tokenizer& tokenizer, const SamplerOptions& options,
                 const std::string& grammar)
    : impl_(std::make_unique<Impl>()) {
  const bool penalised = options.repeat_penalty != 1.0F;
  if (options.temperature <= 0.0F && grammar.empty() && !penalised) return;
  impl_->chain.reset(llama_sampler_chain_init(llama_sampler_chain_default_params()));
  llama_sampler* chain = impl_->chain.get();
  if (!grammar.empty()) {
    llama_sampler* rules = llama_sampler_init_grammar(tokenizer.vocab(), grammar.c_str(), "root");
    if (rules == nullptr)
      throw UserError("grammar", "libllama cannot read it", "write it in GBNF with a rule root");
    llama_sampler_chain_add(chain, rules);
  }
  constexpr int PENALTY_WINDOW = 64;  // llama.cpp's default
  if (penalised) {
    llama_sampler_chain_add(chain,
                            llama_sampler_init_penalties(tokenizer.size(), PENALTY_WINDOW,
                                                         options.repeat_penalty, 0.0F, 0.0F));
  }
  if (options.temperature <= 0.0F) {
    llama_sampler_chain_add(chain, llama_sampler_init_greedy());
    return;
  }
  if (options.top_k > 0) llama_sampler_chain_add(chain, llama_sampler_init_top_k(options.top_k));
  if (grammar.empty() && !penalised) impl_->kept = options.top_k;
  if (options.top_p < 1.0F)
    llama_sampler_chain_add(chain, llama_sampler_init_top_p(options.top_p, 1));
  if (options.min_p > 0.0F)
    llama_sampler_chain_add(chain, llama_sampler_init_min_p(options.min_p, 1));
  llama_sampler_chain_add(chain, llama_sampler_init_temp(options.temperature));
  // To libllama this one number means "draw a seed".
  const std::uint32_t seed =
      options.seed == LLAMA_DEFAULT_SEED ? LLAMA_DEFAULT_SEED - 1 : options.seed;
  llama_sampler_chain_add(chain, llama_sampler_init_dist(seed));
}

Sampler::~Sampler() = default;
Sampler::Sampler(Sampler&&) noexcept = default;

Token Sampler::sample(std::span<const float> logits) {
  if (!impl_->chain) return argmax(logits);
  impl_->choose_candidates(logits);
  std::vector<llama_token_data>& candidates = impl_->candidates;
  llama_token_data_array array = {candidates.data(), candidates.size(), -1, false};
  llama_sampler_apply(impl_->chain.get(), &array);
  const Token token = array.data[array.selected].id;
  llama_sampler_accept(impl_->chain.get(), token);
  return token;
}

Token argmax(std::span<const float> logits) {
  const float best = largest_of(logits);
  const auto found = std::find(logits.begin(), logits.end(), best);
  return found == logits.end() ? 0 : static_cast<Token>(found - logits.begin());
}

}  // namespace litestage
