#include "litestage/decoder.h"

#include <algorithm>

#include <fmt/format.h>

#include "litestage/error.h"
#include "model/local_decoder.h"

namespace litestage {

Decoder::Decoder(std::shared_ptr<const Model> model, const DecoderOptions& options)
    : engine_(std::make_unique<LocalDecoder>(std::move(model), options)) {}
Decoder::Decoder(std::unique_ptr<DecoderEngine> engine) : engine_(std::move(engine)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

Decoder DecoderEngine::make_decoder(std::unique_ptr<DecoderEngine> engine) {
  return Decoder(std::move(engine));
}

ForwardResult DecoderEngine::forward_keeping(SequenceId sequence, std::span<const Token> tokens,
                                             std::span<const KeptText> /*kept*/,
                                             const SublayerMask& mask, HeadUse head,
                                             std::span<const Token> only) {
  return forward(as_batch(sequence, tokens), mask, {}, head, only);
}

std::vector<BatchToken> as_batch(SequenceId sequence, std::span<const Token> tokens) {
  std::vector<BatchToken> batch;
  batch.reserve(tokens.size());
  for (const Token token : tokens)
    batch.push_back({token, sequence, false});
  if (!batch.empty()) batch.back().want_logits = true;
  return batch;
}

const Model& Decoder::model() const {
  return engine_->model();
}
const DecoderOptions& Decoder::options() const {
  return engine_->options();
}

ForwardResult Decoder::forward(std::span<const BatchToken> batch, const SublayerMask& mask,
                               std::span<const Tap> taps, HeadUse head,
                               std::span<const Token> only) {
  return engine_->forward(batch, mask, taps, head, only);
}

ForwardResult Decoder::forward(SequenceId sequence, std::span<const Token> tokens,
                               const SublayerMask& mask, HeadUse head,
                               std::span<const Token> only) {
  return engine_->forward(as_batch(sequence, tokens), mask, {}, head, only);
}

ForwardResult Decoder::forward(SequenceId sequence, std::span<const Token> tokens,
                               std::span<const KeptText> kept, const SublayerMask& mask,
                               HeadUse head, std::span<const Token> only) {
  int end = 0;
  for (const KeptText& text : kept) {
    const bool in_order = text.at >= end && text.first >= 0 && text.count >= 0;
    end = text.at + text.count;
    if (!in_order || end > static_cast<int>(tokens.size()) || text.from == sequence ||
        text.first + text.count > length(text.from)) {
      throw UserError("kept text",
                      fmt::format("{} tokens of sequence {} from position {} on cannot stand at {}",
                                  text.count, text.from, text.first, text.at));
    }
  }
  return engine_->forward_keeping(sequence, tokens, kept, mask, head, only);
}

void Decoder::set_head_preview(std::shared_ptr<const HeadPreview> preview) {
  engine_->set_head_preview(std::move(preview));
}
const HeadPreview* Decoder::head_preview() const {
  return engine_->head_preview();
}
Decoder::HeadStatistics Decoder::head_statistics() const {
  return engine_->head_statistics();
}

void Decoder::fork(SequenceId from, SequenceId to, std::optional<int> length) {
  if (this->length(to) > 0)
    throw UserError("fork", fmt::format("sequence {} exists already", to), "remove it first");
  const int held = this->length(from);
  if (length.value_or(held) < 0 || length.value_or(held) > held) {
    throw UserError("fork", fmt::format("sequence {} has {} tokens, not {}", from, held, *length));
  }
  if (length.value_or(held) > 0) engine_->fork(from, to, length.value_or(held));
}

void Decoder::truncate(SequenceId sequence, int length) {
  engine_->truncate(sequence, std::max(0, length));
}
void Decoder::remove(SequenceId sequence) {
  engine_->remove(sequence);
}
void Decoder::clear() {
  engine_->clear();
}
int Decoder::length(SequenceId sequence) const {
  return engine_->length(sequence);
}
int Decoder::free_cells() const {
  return engine_->free_cells();
}
SequenceId Decoder::unused_sequence(SequenceId from) const {
  return engine_->unused_sequence(from);
}
std::vector<SequenceId> Decoder::sequences() const {
  return engine_->sequences();
}

HeldPrefix Decoder::held_prefix(std::span<const Token> tokens, const SublayerMask& mask,
                                KvReuse reuse) const {
  return engine_->held_prefix(tokens, mask, reuse);
}

Decoder::GraphStatistics Decoder::graph_statistics() const {
  return engine_->graph_statistics();
}
std::size_t Decoder::kv_bytes() const {
  return engine_->kv_bytes();
}
void Decoder::set_interrupt(std::function<bool()> interrupt) {
  engine_->set_interrupt(std::move(interrupt));
}

}  // namespace litestage
