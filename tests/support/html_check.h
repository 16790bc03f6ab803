#pragma once

#include <string>

namespace litestage::test {

/// Faults in the nesting of a page's tags, or "". Scripts are passed over.
std::string nesting_fault(const std::string& html);

/// How often a part stands in a text.
std::size_t occurrences(const std::string& text, const std::string& part);

}  // namespace litestage::test
