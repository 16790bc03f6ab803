#include "litestage/generation_early_exit.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "base/softmax.h"
#include "litestage/error.h"

namespace litestage {
namespace {

constexpr std::array<std::pair<ConfidenceKind, std::string_view>, 3> CONFIDENCE_KINDS = {{
    {ConfidenceKind::largest_logit, "largest_logit"},
    {ConfidenceKind::largest_probability, "largest_probability"},
    {ConfidenceKind::negative_entropy, "negative_entropy"},
}};

}  // namespace

std::string_view to_string(ConfidenceKind kind) {
  for (const auto& [known, name] : CONFIDENCE_KINDS) {
    if (known == kind) return name;
  }
  assert(false);
  return "";
}

ConfidenceKind parse_confidence_kind(std::string_view name, const std::string& where) {
  std::string names;
  for (const auto& [kind, known] : CONFIDENCE_KINDS) {
    if (known == name) return kind;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", known);
  }
  throw UserError(where, fmt::format("there is no confidence \"{}\"", name), "use one of " + names);
}

float Confidence::of(ConfidenceKind kind) const {
  switch (kind) {
    case ConfidenceKind::largest_logit:
      return largest_logit;
    case ConfidenceKind::largest_probability:
      return largest_probability;
    case ConfidenceKind::negative_entropy:
      return negative_entropy;
  }
  assert(false);
  return 0;
}

Confidence confidence_of(std::span<const float> logits) {
  assert(!logits.empty());
  const float most = largest_of(logits);
  const SoftmaxSums sums = softmax_sums(logits, most);
  // sum p ln p with p = e^(x - max) / Z is (sum (x - max) e^(x - max)) / Z - ln Z.
  return {most, static_cast<float>(1.0 / sums.normaliser),
          static_cast<float>(sums.weighted / sums.normaliser - std::log(sums.normaliser))};
}

float confidence_of(std::span<const float> logits, ConfidenceKind kind) {
  return kind == ConfidenceKind::largest_logit ? largest_of(logits)
                                               : confidence_of(logits).of(kind);
}

ConfidenceWindow::ConfidenceWindow(const ExitRule& rule)
    : threshold_(rule.threshold), ring_(static_cast<std::size_t>(rule.window)) {
  assert(rule.window >= 1);
}

bool ConfidenceWindow::add(float confidence) {
  ring_[seen_++ % ring_.size()] = confidence;
  if (seen_ < ring_.size()) return false;
  const double sum = std::accumulate(ring_.begin(), ring_.end(), 0.0);
  return sum <= threshold_ * static_cast<double>(ring_.size());
}

bool goes_in_circles(std::span<const Token> tokens) {
  constexpr std::size_t LEAST = 24;  // tokens in all
  constexpr std::size_t ROUNDS = 3;
  constexpr std::size_t LONGEST = 64;  // tokens of one round
  for (std::size_t period = 1; period <= LONGEST && period * ROUNDS <= tokens.size(); ++period) {
    const std::size_t span = std::max(LEAST, period * ROUNDS);
    if (span > tokens.size()) continue;
    const std::span<const Token> tail = tokens.last(span);
    if (std::equal(tail.begin() + static_cast<std::ptrdiff_t>(period), tail.end(), tail.begin()))
      return true;
  }
  return false;
}

std::size_t last_sentence_end(std::string_view text) {
  constexpr std::string_view ENDS = ".!?\n";
  constexpr std::string_view CLOSERS = "\"')]}*";
  for (std::size_t i = text.size(); i-- > 0;) {
    if (ENDS.find(text[i]) == std::string_view::npos) continue;
    std::size_t end = i + 1;
    while (end < text.size() && CLOSERS.find(text[end]) != std::string_view::npos)
      ++end;
    // A point inside a number or a name ends nothing.
    if (text[i] != '\n' && end < text.size() && text[end] != ' ' && text[end] != '\n') continue;
    return end;
  }
  return text.size();
}

}  // namespace litestage
