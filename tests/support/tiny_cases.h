#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "support/tiny_model.h"

namespace litestage::test {

/// A family with some of its optional features on.
struct TinyCase {
  std::string name;  ///< as GoogleTest wants it: letters, digits and underscores
  TinyOptions options;
};

inline std::ostream& operator<<(std::ostream& out, const TinyCase& tiny) {
  return out << tiny.name;
}

/// Every family with every feature it may have on and off, F32 weights.
std::vector<TinyCase> feature_cases();
/// Every family with each of some weight types.
std::vector<TinyCase> weight_type_cases();
/// One model a family, with what is usual for it.
std::vector<TinyCase> plain_cases();

/// `count` tokens that differ from seed to seed, all in the vocabulary.
std::vector<std::int32_t> random_tokens(int count, int vocabulary, std::uint32_t seed);

}  // namespace litestage::test
