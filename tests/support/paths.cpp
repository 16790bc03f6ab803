#include "support/paths.h"

// The paths are compiled into this file alone, so that a compiler cache serves the others in any
// folder.
namespace litestage::test {

std::filesystem::path source_dir() {
  return LITESTAGE_SOURCE_DIR;
}
std::filesystem::path program_path() {
  return LITESTAGE_PROGRAM;
}
std::filesystem::path library_path() {
  return LITESTAGE_LIBRARY;
}

}  // namespace litestage::test
