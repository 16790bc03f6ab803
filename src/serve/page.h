#pragma once

#include <string>

namespace litestage::serve {

/// The page on which people watch a question go through its stages (`GET /`): one file that asks
/// the server it comes from and nobody else.
const std::string& stages_page();

}  // namespace litestage::serve
