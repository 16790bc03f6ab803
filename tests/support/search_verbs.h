#pragma once

#include <string>
#include <vector>

#include "support/verb_test.h"

namespace litestage::test {

/// `litestage search` and `tune` as their users call them, on a tiny random model.
class SearchVerbs : public VerbTest {
 protected:
  /// Writes six.jsonl and many.jsonl, sets of 6 and of 80 questions.
  SearchVerbs();

  /// Two questions, asked in so many ways.
  static std::string questions(int ways, const std::string& before = {});

  /// @param more flags
  std::vector<std::string> call(const std::string& verb, const std::vector<std::string>& more = {},
                                const std::string& set = "six.jsonl",
                                const std::string& output = "plan.json") const;

  /// Measures what the searches start from.
  void profile() const;

  /// Writes a model whose head is worth a preview, long.jsonl with words enough to check one on,
  /// and what a search starts from.
  /// @return a tune that learns a preview, and is brief in all else
  std::vector<std::string> tune_with_preview() const;
};

}  // namespace litestage::test
