#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace litestage {

/// Finished pieces of long work, kept in a file so that work that was killed goes on where it was.
///
/// The file has one JSON object a line: the first says what work it belongs to, each further one is
/// a piece with its name. A line that a sudden end cut off is dropped. No two processes may use one
/// file. Whoever has made the work's result safe removes it.
class PartialResults {
 public:
  /// Opens the file, or makes it.
  /// @param path empty: pieces are kept in memory alone
  /// @param key identifies the work and all that shapes its results
  /// @throws UserError when the file cannot be used, is in use, is damaged, or belongs to other
  /// work
  PartialResults(std::string path, const std::string& key);
  ~PartialResults();
  PartialResults(const PartialResults&) = delete;
  PartialResults& operator=(const PartialResults&) = delete;

  /// The piece of that name, or a null pointer.
  const nlohmann::json* find(const std::string& name) const;
  /// Keeps a piece; it is on the disk when this returns.
  /// @throws UserError when it cannot be written
  const nlohmann::json& add(const std::string& name, nlohmann::json value);
  /// Where a piece came from, for errors in it.
  std::string where(const std::string& name) const;

 private:
  void read(const std::string& key);
  void append(const nlohmann::json& line);
  [[noreturn]] void fail(const std::string& doing) const;

  std::string path_;
  int descriptor_ = -1;
  std::map<std::string, nlohmann::json> pieces_;
};

}  // namespace litestage
