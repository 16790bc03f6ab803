#include "fetch/checksum.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "fetch/descriptor.h"
#include "litestage/error.h"

namespace litestage::fetch {
namespace {

constexpr std::size_t READ_SIZE = std::size_t{1} << 20;

}  // namespace

bool hash_file(int descriptor, const std::filesystem::path& path, std::uint64_t count, Sha256& sha,
               const ByteProgress& progress) {
  std::vector<std::byte> buffer(READ_SIZE);
  std::uint64_t done = 0;
  while (done < count) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(READ_SIZE, count - done));
    const ssize_t got = ::pread(descriptor, buffer.data(), wanted, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      throw UserError(path.string(), "cannot be read: " + std::generic_category().message(errno));
    if (got == 0) throw UserError(path.string(), "became shorter while it was read");
    sha.update(std::span(buffer).first(static_cast<std::size_t>(got)));
    done += static_cast<std::uint64_t>(got);
    if (progress && !progress(done, count)) return false;
  }
  return true;
}

std::optional<std::string> sha256_of(const std::filesystem::path& path,
                                     const ByteProgress& progress) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid())
    throw UserError(path.string(), "cannot be read: " + std::generic_category().message(errno));
  Sha256 sha;
  if (!hash_file(file.get(), path, std::filesystem::file_size(path), sha, progress)) return {};
  return sha.finish();
}

}  // namespace litestage::fetch
