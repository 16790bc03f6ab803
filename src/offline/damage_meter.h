#pragma once

#include <memory>
#include <string>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/plan.h"
#include "offline/stage_trace.h"

namespace litestage {

/// How far a stage's next-token distributions move when sublayers are left out.
struct Damage {
  double kl = 0;        ///< mean KL divergence from the full model, nats a token of text
  double kl_error = 0;  ///< standard error, by question
  double top1 = 1;      ///< share of tokens whose likeliest next token stays the same
  int tokens = 0;
};

/// Teacher-forces the texts the full model wrote under other settings and compares the next-token
/// distributions. Runs at prefill speed; the softmax over the vocabulary is spread over the
/// decoder's threads.
class DamageMeter {
 public:
  /// Computes and keeps the full model's distributions at every token of the traces' texts (for a
  /// trace without text: at the one position after its context).
  /// @param decoder must stay alive; its cache is cleared and used
  /// @param kept_bytes most memory the full distributions may take; texts beyond it are left out,
  /// evenly over stages and questions
  DamageMeter(Decoder& decoder, std::vector<StageTrace> traces,
              std::size_t kept_bytes = std::size_t{1} << 30);
  ~DamageMeter();

  /// Leaves settings.prefill's sublayers out while a context's fresh tokens are read (what stands
  /// before them was read by the full model) and settings.decode's while its text is forced.
  /// Exit rules play no part.
  Damage measure(const std::string& stage, const StageSettings& settings);

  /// Tokens compared for a stage.
  int tokens(const std::string& stage) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace litestage
