#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/tokenizer.h"

namespace litestage {

/// What is taken as the model's confidence in a token it has chosen.
enum class ConfidenceKind : std::uint8_t {
  largest_logit,        ///< LiteStage, paper section 3.3
  largest_probability,  ///< of the softmax of all logits
  negative_entropy,     ///< sum of p ln p over the vocabulary: 0 when sure, nats
};

/// "largest_logit", "largest_probability", "negative_entropy"
std::string_view to_string(ConfidenceKind kind);
/// @throws UserError when there is no kind of that name
ConfidenceKind parse_confidence_kind(std::string_view name, const std::string& where);

/// All kinds of confidence at one decoded position.
struct Confidence {
  float largest_logit = 0;
  float largest_probability = 0;
  float negative_entropy = 0;

  float of(ConfidenceKind kind) const;
};

/// @param logits one value for each token of the vocabulary
Confidence confidence_of(std::span<const float> logits);
/// One kind alone: the largest logit costs one pass, the others an exponential a logit too.
float confidence_of(std::span<const float> logits, ConfidenceKind kind);

/// When a stage's text ends before the model says so (LiteStage: generation early exit). The
/// default never ends one.
struct ExitRule {
  static constexpr double NEVER = -std::numeric_limits<double>::infinity();

  ConfidenceKind confidence = ConfidenceKind::largest_logit;
  int window = 8;            ///< tokens the mean is taken over; nothing ends before it is full
  double threshold = NEVER;  ///< the text ends when the mean is at most this
  bool rollback = true;      ///< after that or at its budget, cut the text back to the end of its
                             ///< last sentence
  bool answer_complete = false;  ///< end as soon as the stage's pattern has matched for good
  bool repetition = false;       ///< end when the text goes round in circles
  int max_tokens = 0;            ///< a budget below the stage's own; 0: the stage's own

  bool operator==(const ExitRule&) const = default;
  bool watches_confidence() const { return threshold != NEVER; }
};

/// Follows the confidences of one text and says when the rule's threshold is reached.
class ConfidenceWindow {
 public:
  explicit ConfidenceWindow(const ExitRule& rule);

  /// @return whether the mean of the last `window` values is at most the threshold
  bool add(float confidence);

 private:
  double threshold_;
  std::vector<float> ring_;
  std::size_t seen_ = 0;
};

/// Whether a text ends in a passage that stands there at least three times in a row: 24 tokens or
/// more in all, so that a row of dots or a table's rule is no circle yet.
bool goes_in_circles(std::span<const Token> tokens);

/// Length of the text up to the end of its last whole sentence (`.`, `!`, `?` or a line end, with
/// quotes and brackets that close behind it); the whole length when there is none.
std::size_t last_sentence_end(std::string_view text);

}  // namespace litestage
