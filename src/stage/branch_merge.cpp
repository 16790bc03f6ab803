#include "stage/branch_merge.h"

#include <algorithm>

namespace litestage {
namespace {

/// The longest run of `text` in `context` from `begin` on.
KeptText longest_run(std::span<const Token> context, std::size_t begin, const WrittenText& text) {
  KeptText best{.from = text.sequence};
  for (std::size_t at = begin; at < context.size(); ++at) {
    for (std::size_t first = 0; first < text.tokens.size(); ++first) {
      const auto end = std::mismatch(
          context.begin() + static_cast<std::ptrdiff_t>(at), context.end(),
          text.tokens.begin() + static_cast<std::ptrdiff_t>(first), text.tokens.end());
      const auto count = static_cast<int>(end.first - context.begin() - static_cast<int>(at));
      if (count <= best.count) continue;
      best.first = text.first + static_cast<int>(first);
      best.at = static_cast<int>(at);
      best.count = count;
    }
  }
  return best;
}

}  // namespace

std::vector<KeptText> find_quoted(std::span<const Token> context,
                                  const std::vector<WrittenText>& texts) {
  constexpr int WORTH_IT = 4;  // tokens
  std::vector<KeptText> found;
  std::size_t begin = 0;
  for (const WrittenText& text : texts) {
    const KeptText run = longest_run(context, begin, text);
    if (run.count < WORTH_IT) continue;
    found.push_back(run);
    begin = static_cast<std::size_t>(run.at) + static_cast<std::size_t>(run.count);
  }
  return found;
}

}  // namespace litestage
