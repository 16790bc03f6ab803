#pragma once

#include <filesystem>
#include <string>

namespace litestage::test {

/// A Python package index in a folder, as a web server would show it: simple/NAME/index.html and
/// wheels.
class PackageIndex {
 public:
  explicit PackageIndex(std::filesystem::path folder);

  /// Adds a wheel of one file that pip accepts.
  /// @param member path in the wheel
  void add(const std::string& package, const std::string& version, const std::string& member,
           const std::string& content);

  /// What the web server answers to a path; empty when there is nothing.
  std::string answer(const std::string& path) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace litestage::test
