#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace litestage {

/// The types that `requantize` writes, by llama.cpp's names, smallest first: "Q2_K" ... "F16".
const std::vector<std::string>& requantize_types();

/// Whether a name is one of them; upper and lower case are the same.
/// @return the name as it is listed, "Q4_K_M"
/// @throws UserError that lists the types
std::string requantize_type(std::string_view name, const std::string& where);

/// Writes a model again with its weights in another type, by libllama's own quantiser, without an
/// importance matrix. Quantised sources are taken: their rounding errors add to the new ones.
///
/// The output appears whole, or not at all and an older one stays as it was. Takes seconds to
/// minutes and cannot be interrupted: libllama offers no way.
/// @param type one of requantize_types(); matrices whose rows do not fit its blocks get a larger
/// type
/// @param threads 0: one a physical core
/// @throws UserError when the source cannot be read, the type is unknown, or the output cannot be
/// written
void requantize(const std::filesystem::path& source, std::string_view type,
                const std::filesystem::path& output, int threads = 0);

}  // namespace litestage
