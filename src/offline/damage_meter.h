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
  double kl = 0;  ///< mean KL divergence from the full model, nats a token of text
  double kl_error =
      0;            ///< standard error of that mean, by question; 0 for fewer than two questions
  double top1 = 1;  ///< share of tokens whose likeliest next token stays the same
  int tokens = 0;   ///< compared; 0: nothing was measured
};

/// Teacher-forces the texts the full model wrote under other settings and compares the next-token
/// distributions. Runs at prefill speed; the softmax over the vocabulary is spread over the
/// decoder's threads.
///
/// A text of n tokens is compared at n positions: at each token, the distribution it was drawn
/// from. The first one is computed by the context's last token, so only settings.prefill moves it.
///
/// The standard error takes questions as independent, not tokens (the ratio estimator's):
///   kl_error = sqrt(n / (n - 1) * sum over questions of (S - kl * N)^2) / total tokens
/// with S the sum of a question's KL, N its tokens and n the number of questions.
class DamageMeter {
 public:
  /// Computes and keeps the full model's distributions at every token of the traces' texts (for a
  /// trace without text: at the one position after its context), 16 bits a token of the vocabulary.
  /// Their rounding shifts a measured KL by 1e-7 nats and, at one position, by a random part of
  /// about 1e-3 of it (base/softmax.h). The model rounds as well: quantised weights meet rounded
  /// activations, and the same text in other cells of the cache makes some 1e-4 to 1e-3 nats. Texts
  /// are therefore measured in the cells they were in here, and empty settings give less than 1e-5,
  /// unless contexts had to leave the cache for others.
  /// @param decoder must stay alive; its cache is cleared and used, and may be used by others
  /// between calls. When its interrupt function stops it, no stage has tokens to compare.
  /// @param kept_bytes most memory the full distributions may take; texts beyond it are left out,
  /// evenly over stages and questions: no (stage, question) has two branches before each has one
  /// @throws UserError when a context with its text does not fit into the decoder's cache
  DamageMeter(Decoder& decoder, std::vector<StageTrace> traces,
              std::size_t kept_bytes = std::size_t{1} << 30);
  ~DamageMeter();

  /// Leaves settings.prefill's sublayers out while a context's fresh tokens are read (what stands
  /// before them was read by the full model) and settings.decode's while its text is forced.
  /// Exit rules play no part.
  /// @return no tokens for a stage without any, or when the decoder's interrupt function stopped it
  Damage measure(const std::string& stage, const StageSettings& settings);

  /// Tokens compared for a stage.
  int tokens(const std::string& stage) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace litestage
