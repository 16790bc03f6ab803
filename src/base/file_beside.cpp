#include "base/file_beside.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "litestage/error.h"

namespace litestage {

FileBeside::FileBeside(std::string output)
    : output_(std::move(output)), path_(output_ + ".XXXXXX") {
  const int descriptor = ::mkstemp(path_.data());
  if (descriptor < 0) fail(errno);
  ::close(descriptor);
}

FileBeside::~FileBeside() {
  ::unlink(path_.c_str());
}

void FileBeside::take_its_place() const {
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(errno);
  const bool kept = ::fchmod(descriptor, 0644) == 0 && ::fsync(descriptor) == 0;
  const int reason = errno;
  ::close(descriptor);
  if (!kept) fail(reason);
  if (std::rename(path_.c_str(), output_.c_str()) != 0) fail(errno);
}

void FileBeside::fail(const std::string& reason) const {
  throw UserError(output_, "cannot be written: " + reason,
                  "check the folder, its permissions and the space left");
}

void FileBeside::fail(int error) const {
  fail(std::generic_category().message(error));
}

}  // namespace litestage
