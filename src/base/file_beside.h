#pragma once

#include <string>

namespace litestage {

/// A file on its way: written beside the one it is to become, as a rename is one step only within
/// one file system, and removed unless it was put in that one's place.
class FileBeside {
 public:
  /// An empty file. @throws UserError when it cannot be made
  explicit FileBeside(std::string output);
  FileBeside(const FileBeside&) = delete;
  FileBeside& operator=(const FileBeside&) = delete;
  ~FileBeside();

  const std::string& path() const { return path_; }

  /// Brings everything to the disk and takes the output's name in one step.
  /// @throws UserError when that fails; the old file is then as it was
  void take_its_place() const;

  /// The output cannot be written. @throws UserError
  [[noreturn]] void fail(const std::string& reason) const;

 private:
  [[noreturn]] void fail(int error) const;

  std::string output_;
  std::string path_;
};

}  // namespace litestage
