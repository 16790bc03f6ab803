#include "support/decoder_tools.h"

namespace litestage::test {

LoadedTiny::LoadedTiny(const TinyModel& model) {
  model.write(file());
  model_ = Model::load(file());
}

DecoderOptions small_decoder() {
  DecoderOptions options;
  options.context = 256;
  options.threads = 1;
  // One kernel for every batch, as the oracle has it; the automatic choice has a test of its own.
  options.flash_attention = FlashAttention::on;
  return options;
}

DecoderOptions few_cells(MissingKv missing_kv) {
  DecoderOptions options = small_decoder();
  options.context = FEW_CELLS;
  options.missing_kv = missing_kv;
  options.kv_type = KvType::f32;
  return options;
}

std::vector<BatchToken> batch_of(std::span<const Token> tokens, SequenceId sequence) {
  std::vector<BatchToken> batch;
  for (const Token token : tokens) {
    batch.push_back({.token = token, .sequence = sequence, .want_logits = true});
  }
  return batch;
}

std::vector<float> all_logits(Decoder& decoder, std::span<const Token> tokens,
                              const SublayerMask& mask, SequenceId sequence) {
  const ForwardResult result = decoder.forward(batch_of(tokens, sequence), mask);
  return {result.logits.begin(), result.logits.end()};
}

std::vector<float> stepwise_logits(Decoder& decoder, std::span<const Token> tokens,
                                   const SublayerMask& mask, SequenceId sequence) {
  std::vector<float> logits;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const ForwardResult result = decoder.forward(sequence, tokens.subspan(i, 1), mask);
    logits.insert(logits.end(), result.logits.begin(), result.logits.end());
  }
  return logits;
}

}  // namespace litestage::test
