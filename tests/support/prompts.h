#pragma once

#include <string>
#include <vector>

namespace litestage::test {

/// Beginnings of texts of many kinds, for greedy decoding on real models.
const std::vector<std::string>& prompts();

}  // namespace litestage::test
