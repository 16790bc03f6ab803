#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace litestage::test {

/// A search's memo that keeps a list of all that is written to it, by whatever process. Triggers of
/// the database keep it, as part of what they watch: no kill can come between the two.
class WatchedMemo {
 public:
  /// Makes the file, with nothing in it.
  explicit WatchedMemo(std::string path);

  /// How many stages and measurements were written so far.
  std::size_t written() const;
  /// All that was written, sorted: "outcome KEY" or "measurement NAME", as often as it was; behind
  /// "changed" or "removed" what was done to a row that had been written.
  std::vector<std::string> list() const;
  /// What SQLite finds wrong with the file; "ok" when that is nothing.
  std::string check() const;
  /// Leaves the milliseconds that were measured, and nothing else, also of the list: a search that
  /// begins with them goes by no clock.
  void keep_times_alone() const;

 private:
  /// The first column of what a statement gives. Whatever a killed process left is not put in
  /// order: that is for the next search.
  std::vector<std::string> rows(const std::string& sql) const;

  std::string path_;
};

}  // namespace litestage::test
