#include "app/libllama_decoder.h"

#include <llama.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "app/libllama_batch.h"
#include "litestage/error.h"
#include "model/local_decoder.h"

namespace litestage::app {
namespace {

constexpr int MOST_SEQUENCES = 64;

/// A token that some sequences hold: its cell is free when the last of them lets go of it.
struct HeldToken {
  Token token = 0;
  std::shared_ptr<const int> cell;
};

class LibllamaDecoder final : public DecoderEngine {
 public:
  LibllamaDecoder(LibllamaContext context, std::shared_ptr<const Model> model,
                  const DecoderOptions& options)
      : context_(std::move(context)),
        model_(std::move(model)),
        options_(options),
        batch_(options.context) {
    llama_set_abort_callback(
        context_.get(),
        [](void* self) {
          const auto& interrupt = static_cast<LibllamaDecoder*>(self)->interrupt_;
          return interrupt && interrupt();
        },
        this);
  }
  ~LibllamaDecoder() override { llama_set_abort_callback(context_.get(), nullptr, nullptr); }
  LibllamaDecoder(const LibllamaDecoder&) = delete;
  LibllamaDecoder& operator=(const LibllamaDecoder&) = delete;

  const Model& model() const override { return *model_; }
  const DecoderOptions& options() const override { return options_; }

  ForwardResult forward(std::span<const BatchToken> batch,
                        [[maybe_unused]] const SublayerMask& mask,
                        [[maybe_unused]] std::span<const Tap> taps, HeadUse /*head*/,
                        std::span<const Token> only) override {
    assert(mask.empty() && taps.empty());
    ForwardResult result;
    if (batch.empty()) return result;
    if (static_cast<int>(batch.size()) > free_cells())
      throw UserError("context", "it is full", "use a larger -c");
    const std::map<SequenceId, int> before = lengths(batch);
    batch_.clear();
    for (const BatchToken& token : batch) {
      std::vector<HeldToken>& held = held_[token.sequence];
      batch_.add(token.token, static_cast<int>(held.size()), token.sequence, token.want_logits);
      held.push_back({token.token, std::make_shared<int>(0)});
      result.rows += token.want_logits ? 1 : 0;
    }
    used_ += static_cast<int>(batch.size());
    const int status = llama_decode(context_.get(), batch_.get());
    constexpr int ABORTED = 2;
    if (status != 0) {
      for (const auto& [sequence, length] : before)
        truncate(sequence, length);
      if (status != ABORTED) throw std::runtime_error("llama_decode failed");
      result.rows = 0;
      result.interrupted = true;
      return result;
    }
    llama_synchronize(context_.get());
    if (result.rows > 0) result.logits = logits(static_cast<std::size_t>(result.rows), only);
    return result;
  }

  void set_head_preview(std::shared_ptr<const HeadPreview> /*preview*/) override {}
  const HeadPreview* head_preview() const override { return nullptr; }
  Decoder::HeadStatistics head_statistics() const override { return {}; }

  void fork(SequenceId from, SequenceId to, int length) override {
    const std::vector<HeldToken>& source = held_.at(from);
    held_[to].assign(source.begin(), source.begin() + length);
    llama_memory_seq_cp(memory(), from, to, 0, length);
  }

  void truncate(SequenceId sequence, int length) override {
    const auto found = held_.find(sequence);
    if (found == held_.end() || static_cast<int>(found->second.size()) <= length) return;
    llama_memory_seq_rm(memory(), sequence, length, -1);
    std::vector<HeldToken>& held = found->second;
    while (static_cast<int>(held.size()) > length) {
      if (held.back().cell.use_count() == 1) --used_;
      held.pop_back();
    }
    if (held.empty()) held_.erase(found);
  }

  void remove(SequenceId sequence) override { truncate(sequence, 0); }
  void clear() override {
    llama_memory_clear(memory(), false);
    held_.clear();
    used_ = 0;
  }

  int length(SequenceId sequence) const override {
    const auto found = held_.find(sequence);
    return found == held_.end() ? 0 : static_cast<int>(found->second.size());
  }
  int free_cells() const override { return options_.context - used_; }
  SequenceId unused_sequence(SequenceId from) const override {
    while (held_.contains(from))
      ++from;
    if (from >= MOST_SEQUENCES)
      throw UserError("libllama", "has no more sequences", "ask with fewer options");
    return from;
  }
  std::vector<SequenceId> sequences() const override {
    std::vector<SequenceId> living;
    for (const auto& [sequence, held] : held_)
      living.push_back(sequence);
    return living;
  }

  HeldPrefix held_prefix(std::span<const Token> tokens, const SublayerMask& /*mask*/,
                         KvReuse /*reuse*/) override {
    HeldPrefix best;
    for (const auto& [sequence, held] : held_) {
      const auto differ =
          std::mismatch(tokens.begin(), tokens.end(), held.begin(), held.end(),
                        [](Token wanted, const HeldToken& there) { return wanted == there.token; });
      const auto length = static_cast<int>(differ.first - tokens.begin());
      if (length > best.length) best = {sequence, length};
    }
    return best;
  }

  Decoder::GraphStatistics graph_statistics() const override { return {}; }
  std::size_t kv_bytes() const override { return 0; }
  void set_interrupt(std::function<bool()> interrupt) override {
    interrupt_ = std::move(interrupt);
  }

 private:
  /// libllama computes all of them, whichever are wanted.
  std::span<const float> logits(std::size_t rows, std::span<const Token> only) {
    const auto n_vocab = static_cast<std::size_t>(model_->vocabulary_size());
    const std::span<const float> all{llama_get_logits(context_.get()), rows * n_vocab};
    if (only.empty()) return all;
    wanted_.clear();
    for (std::size_t row = 0; row < rows; ++row) {
      for (const Token token : only) {
        assert(token >= 0 && token < model_->vocabulary_size());
        wanted_.push_back(all[row * n_vocab + static_cast<std::size_t>(token)]);
      }
    }
    return wanted_;
  }

  llama_memory_t memory() const { return llama_get_memory(context_.get()); }

  std::map<SequenceId, int> lengths(std::span<const BatchToken> batch) const {
    std::map<SequenceId, int> before;
    for (const BatchToken& token : batch)
      before.try_emplace(token.sequence, length(token.sequence));
    return before;
  }

  LibllamaContext context_;
  std::shared_ptr<const Model> model_;
  DecoderOptions options_;
  LibllamaBatch batch_;
  std::map<SequenceId, std::vector<HeldToken>> held_;
  int used_ = 0;               // cells
  std::vector<float> wanted_;  // logits of some tokens alone, of the last forward call
  std::function<bool()> interrupt_;
};

}  // namespace

Decoder make_libllama_decoder(const LibllamaModel& libllama, std::shared_ptr<const Model> model,
                              const DecoderOptions& options) {
  const DecoderOptions all = complete(options, *model);
  return DecoderEngine::make_decoder(std::make_unique<LibllamaDecoder>(
      libllama.make_context(all, {all.context, MOST_SEQUENCES}), std::move(model), all));
}

}  // namespace litestage::app
