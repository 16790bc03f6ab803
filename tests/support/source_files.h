#pragma once

#include <string>
#include <vector>

namespace litestage::test {

struct SourceFile {
  std::string path;  ///< relative to the source tree, with forward slashes
  std::string text;
};

/// The .h and .cpp files of include/ and src/, in the order of their paths.
std::vector<SourceFile> library_sources();

/// Every text file that git tracks; empty when this is no git checkout.
std::vector<SourceFile> tracked_text_files();

/// What a shell command writes to stdout.
std::string command_output(const std::string& command);

}  // namespace litestage::test
