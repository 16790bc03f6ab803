#pragma once

#include <string>
#include <vector>

#include "litestage/decoder.h"
#include "offline/stage_trace.h"

namespace litestage {

/// Times what a stage makes the model do, with any sublayers left out. A test's has planted times.
class StageStopwatch {
 public:
  virtual ~StageStopwatch() = default;
  virtual int fresh() const = 0;  ///< tokens that are read at once
  virtual int steps() const = 0;  ///< decoding steps that are timed together
  /// Milliseconds of reading the fresh tokens, up to the logits of the last one.
  virtual double prefill_ms(const SublayerMask& mask) = 0;
  /// Milliseconds of all steps of one text.
  virtual double decode_ms(const SublayerMask& mask) = 0;
};

/// What a stage does for a typical question.
struct StageWork {
  std::vector<Token> tokens;     ///< of one of its contexts, repeated if need be
  std::vector<Token> text;       ///< what was written behind it; the context where nothing was
  int held = 0;                  ///< tokens in the cache when the stage begins
  int fresh = 0;                 ///< tokens read behind them
  int decode_from = 0;           ///< tokens in the cache halfway through its text
  HeadUse head = HeadUse::full;  ///< how its logits are computed
  bool writes = true;            ///< false for a choice read from the logits
  double fresh_tokens = 0;       ///< read for a question, all branches, mean
  double written_tokens = 0;     ///< written for a question, all branches, mean
};

/// The mean of a stage's traces. What all branches of a question read counts as read at once, as it
/// is. `fresh` is at most 128: more tokens take longer, and the same time each.
/// @param questions how many the traces are of
/// @param room cells of the decoder's cache; the work leaves some of them free
StageWork typical_work(const std::vector<StageTrace>& traces, const std::string& stage,
                       int questions, int room);

/// Times the real model.
class DecoderStopwatch : public StageStopwatch {
 public:
  /// @param decoder must stay alive; its cache is cleared and used
  DecoderStopwatch(Decoder& decoder, StageWork work);

  int fresh() const override { return work_.fresh; }
  int steps() const override;
  double prefill_ms(const SublayerMask& mask) override;
  double decode_ms(const SublayerMask& mask) override;

 private:
  void hold(int length);

  Decoder& decoder_;
  StageWork work_;
  int whole_ = 0;  ///< tokens in the cache that the whole model has read
};

}  // namespace litestage
