#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace litestage {

/// The last number in a text as plain decimal text: "about $1,250.50." gives "1250.5". Knows signs,
/// currencies, thousands, decimals, exponents, fractions ("3/4" is 0.75) and mixed numbers ("2
/// 1/2"). Digits inside a word ("H2O") are no number. Empty when there is none.
std::string last_number(std::string_view text);

/// The value of a text that is one number and nothing else (a currency or a percent sign may stand
/// by).
std::optional<double> number_value(std::string_view text);

}  // namespace litestage
