#include "support/libllama_oracle.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace litestage::test {

LibllamaOracle::LibllamaOracle(const std::filesystem::path& path, const OracleOptions& options) {
  llama_model_params model_params = llama_model_default_params();
  model_params.n_gpu_layers = 0;
  model_params.use_extra_bufts = options.repack;
  model_.reset(llama_model_load_from_file(path.c_str(), model_params));
  if (!model_) throw std::runtime_error("libllama does not load " + path.string());

  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(options.context);
  params.n_batch = params.n_ctx;
  params.n_ubatch = static_cast<std::uint32_t>(options.ubatch);
  params.n_seq_max = static_cast<std::uint32_t>(options.sequences);
  params.n_threads = options.threads;
  params.n_threads_batch = options.threads;
  params.flash_attn_type =
      options.flash_attention ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.type_k = options.kv_type;
  params.type_v = options.kv_type;
  params.swa_full = true;
  params.kv_unified = true;
  context_.reset(llama_init_from_model(model_.get(), params));
  if (!context_) throw std::runtime_error("libllama makes no context for " + path.string());
  vocabulary_size_ = llama_vocab_n_tokens(vocab());
  lengths_.assign(static_cast<std::size_t>(options.sequences), 0);
}

std::vector<float> LibllamaOracle::decode(std::span<const Item> items) {
  llama_batch batch = llama_batch_init(static_cast<int>(items.size()), 0, 1);
  const std::unique_ptr<llama_batch, void (*)(llama_batch*)> owner(
      &batch, [](llama_batch* owned) { llama_batch_free(*owned); });
  for (const Item& item : items) {
    const int i = batch.n_tokens++;
    batch.token[i] = item.token;
    batch.pos[i] = lengths_.at(static_cast<std::size_t>(item.sequence))++;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = item.sequence;
    batch.logits[i] = item.want_logits ? 1 : 0;
  }
  if (llama_decode(context_.get(), batch) != 0) throw std::runtime_error("llama_decode failed");
  std::vector<float> logits;
  for (int i = 0; i < batch.n_tokens; ++i) {
    if (batch.logits[i] == 0) continue;
    const float* row = llama_get_logits_ith(context_.get(), i);
    logits.insert(logits.end(), row, row + vocabulary_size_);
  }
  return logits;
}

std::vector<float> LibllamaOracle::decode(std::span<const std::int32_t> tokens, int sequence,
                                          bool all_logits) {
  std::vector<Item> items;
  for (const std::int32_t token : tokens)
    items.push_back({token, sequence, all_logits});
  if (!items.empty()) items.back().want_logits = true;
  return decode(items);
}

std::vector<float> LibllamaOracle::decode_stepwise(std::span<const std::int32_t> tokens,
                                                   int sequence) {
  std::vector<float> logits;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto row = decode(tokens.subspan(i, 1), sequence);
    logits.insert(logits.end(), row.begin(), row.end());
  }
  return logits;
}

void LibllamaOracle::clear() {
  llama_memory_clear(llama_get_memory(context_.get()), true);
  lengths_.assign(lengths_.size(), 0);
}

void LibllamaOracle::fork(int from, int to) {
  llama_memory_seq_cp(llama_get_memory(context_.get()), from, to, -1, -1);
  lengths_.at(static_cast<std::size_t>(to)) = lengths_.at(static_cast<std::size_t>(from));
}

namespace {

OracleOptions with_flash(OracleOptions options, bool flash) {
  options.flash_attention = flash;
  return options;
}

}  // namespace

EitherOracle::EitherOracle(const std::filesystem::path& path, const OracleOptions& options)
    : flash_(path, with_flash(options, true)), plain_(path, with_flash(options, false)) {}

double EitherOracle::distance(std::span<const float> logits, std::span<const std::int32_t> tokens) {
  return std::min(flash_.distance(logits, tokens), plain_.distance(logits, tokens));
}

double EitherOracle::stepwise_distance(std::span<const float> logits,
                                       std::span<const std::int32_t> tokens) {
  return std::min(flash_.stepwise_distance(logits, tokens),
                  plain_.stepwise_distance(logits, tokens));
}

double EitherOracle::distance(std::span<const float> logits,
                              std::span<const LibllamaOracle::Item> items) {
  return std::min(flash_.distance(logits, items), plain_.distance(logits, items));
}

void EitherOracle::clear() {
  flash_.clear();
  plain_.clear();
}

double nmse(std::span<const float> actual, std::span<const float> expected) {
  if (actual.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double difference = 0.0;
  double power = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double delta = static_cast<double>(actual[i]) - static_cast<double>(expected[i]);
    difference += delta * delta;
    power += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  return difference / power;
}

}  // namespace litestage::test
