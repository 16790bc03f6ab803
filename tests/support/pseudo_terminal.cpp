#include "support/pseudo_terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace litestage::test {

PseudoTerminal::PseudoTerminal(unsigned short columns)
    : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
  if (master_ < 0 || ::grantpt(master_) != 0 || ::unlockpt(master_) != 0) return;
  const char* name = ::ptsname(master_);
  if (name == nullptr) return;
  const int end = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (end < 0) return;
  file_.reset(::fdopen(end, "r+"));
  winsize size{};
  size.ws_row = 24;
  size.ws_col = columns;
  ::ioctl(master_, TIOCSWINSZ, &size);
}

PseudoTerminal::~PseudoTerminal() {
  file_.reset();
  if (master_ >= 0) ::close(master_);
}

std::array<int, 2> PseudoTerminal::release() {
  const int end = ::fcntl(::fileno(file_.get()), F_DUPFD_CLOEXEC, 0);
  file_.reset();
  return {std::exchange(master_, -1), end};
}

}  // namespace litestage::test
