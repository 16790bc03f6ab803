#pragma once

#include <filesystem>

#include "support/calibration.h"

namespace litestage::test {

/// Learns a preview of the head from made-up texts and gives it to the decoder.
/// @param file it is written to
/// @param more_margin added to the margin that was learned
void give_preview(Calibration& tiny, const std::filesystem::path& file, float more_margin = 0);

}  // namespace litestage::test
