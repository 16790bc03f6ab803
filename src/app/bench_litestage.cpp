#include "app/bench_litestage.h"

#include <cstddef>
#include <utility>
#include <vector>

namespace litestage::app {
namespace {

class LitestageEngine : public BenchEngine {
 public:
  LitestageEngine(std::shared_ptr<Decoder> decoder, SublayerMask mask)
      : decoder_(std::move(decoder)), mask_(std::move(mask)) {}

  void clear() override { decoder_->clear(); }

  void prefill(int sequence, std::span<const Token> tokens) override {
    decoder_->forward(sequence, tokens, mask_);
  }

  void fork(int count) override {
    for (SequenceId sequence = 1; sequence < count; ++sequence)
      decoder_->fork(0, sequence);
  }

  void step(std::span<const Token> tokens) override {
    batch_.clear();
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      batch_.push_back({tokens[i], static_cast<SequenceId>(i), true});
    }
    decoder_->forward(batch_, mask_);
  }

 private:
  std::shared_ptr<Decoder> decoder_;
  SublayerMask mask_;
  std::vector<BatchToken> batch_;
};

}  // namespace

std::unique_ptr<BenchEngine> make_litestage_engine(std::shared_ptr<Decoder> decoder,
                                                   SublayerMask mask) {
  return std::make_unique<LitestageEngine>(std::move(decoder), std::move(mask));
}

}  // namespace litestage::app
