#include "serve/logprobs.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "base/softmax.h"

namespace litestage::serve {

TokenLogprob logprob_of(std::span<const float> logits, Token token, int top) {
  const float most = largest_of(logits);
  const double normaliser = std::log(softmax_sums(logits, most).normaliser);
  const auto logprob = [&](Token of) {
    return static_cast<double>(logits[static_cast<std::size_t>(of)]) - most - normaliser;
  };
  TokenLogprob result{token, logprob(token), {}};
  if (top <= 0) return result;
  std::vector<Token> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto end = order.begin() + std::min<std::ptrdiff_t>(top, std::ssize(order));
  std::partial_sort(order.begin(), end, order.end(), [&](Token a, Token b) {
    const float left = logits[static_cast<std::size_t>(a)];
    const float right = logits[static_cast<std::size_t>(b)];
    return left != right ? left > right : a < b;  // as argmax chooses among equals
  });
  for (auto it = order.begin(); it != end; ++it)
    result.top.emplace_back(*it, logprob(*it));
  return result;
}

}  // namespace litestage::serve
