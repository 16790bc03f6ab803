#pragma once

#include <filesystem>

namespace litestage::test {

/// Root of the source tree.
std::filesystem::path source_dir();
/// The program that was built with these tests.
std::filesystem::path program_path();
/// The static library under test.
std::filesystem::path library_path();

}  // namespace litestage::test
