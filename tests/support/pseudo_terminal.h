#pragma once

#include <array>
#include <cstdio>
#include <memory>

namespace litestage::test {

/// A terminal of so many columns, both ends of which this process holds.
class PseudoTerminal {
 public:
  explicit PseudoTerminal(unsigned short columns);
  ~PseudoTerminal();
  PseudoTerminal(const PseudoTerminal&) = delete;
  PseudoTerminal& operator=(const PseudoTerminal&) = delete;

  /// What programs write on; null where there are no pseudo terminals, or it was given away.
  std::FILE* file() const { return file_.get(); }

  /// Gives both ends away: where what was written is read, and where programs write. Reading fails
  /// with EIO once nobody has the latter any more.
  std::array<int, 2> release();

 private:
  int master_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, &std::fclose};
};

}  // namespace litestage::test
