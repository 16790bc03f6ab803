#include "fetch/part_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "litestage/error.h"

namespace litestage::fetch {
namespace {

std::string reason(int error) {
  return std::generic_category().message(error);
}

void sync_folder(const std::filesystem::path& folder) {
  // Makes the rename itself durable; a file system without it still has the file.
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.valid()) ::fsync(descriptor.get());
}

}  // namespace

PartFile::PartFile(std::filesystem::path target, ByteProgress checking)
    : target_(std::move(target)),
      path_(target_.string() + ".part"),
      checking_(std::move(checking)) {
  std::error_code error;
  std::filesystem::create_directories(target_.parent_path(), error);
  if (error)
    throw UserError(target_.parent_path().string(), "cannot be created: " + error.message(),
                    "set LITESTAGE_CACHE to a folder you may write in");
  open_and_lock();
}

PartFile::~PartFile() {
  std::error_code ignored;
  if (file_.valid() && size_ == 0) std::filesystem::remove(path_, ignored);
}

void PartFile::open_and_lock() {
  // The process that held the lock may have renamed or removed the file between our open and our
  // lock; then the path is another file, and we open anew.
  for (;;) {
    file_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!file_.valid())
      throw UserError(path_.string(), "cannot be written: " + reason(errno),
                      "set LITESTAGE_CACHE to a folder you may write in");
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      file_ = Descriptor();
      throw UserError(path_.string(),
                      error == EWOULDBLOCK ? "another download is writing it"
                                           : "cannot be locked: " + reason(error),
                      error == EWOULDBLOCK ? "wait for it to end" : "");
    }
    struct stat opened {};
    struct stat named {};
    if (::fstat(file_.get(), &opened) != 0)
      throw UserError(path_.string(), "cannot be read: " + reason(errno));
    if (::stat(path_.c_str(), &named) == 0 && named.st_ino == opened.st_ino &&
        named.st_dev == opened.st_dev) {
      size_ = static_cast<std::uint64_t>(opened.st_size);
      return;
    }
  }
}

bool PartFile::keep(std::uint64_t bytes) {
  sha_.restart();
  if (bytes < size_) {
    if (::ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0) fail_writing(errno);
    size_ = bytes;
  }
  return hash_file(file_.get(), path_, size_, sha_, checking_);
}

void PartFile::append(std::span<const std::byte> bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const auto rest = bytes.subspan(written);
    const ssize_t count =
        ::pwrite(file_.get(), rest.data(), rest.size(), static_cast<off_t>(size_ + written));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int error = count == 0 ? ENOSPC : errno;
      // The bytes before this call are the ones the checksum knows; a shorter file is always right.
      if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) size_ = 0;
      fail_writing(error);
    }
    written += static_cast<std::size_t>(count);
  }
  size_ += bytes.size();
  sha_.update(bytes);
}

void PartFile::commit(const std::string& sha256) {
  const std::string found = sha_.finish();
  const bool right = sha256.empty() ? begins_as_gguf() : found == sha256;
  if (!right) {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
    file_ = Descriptor();
    size_ = 0;
    if (sha256.empty()) throw SourceFailure("what was sent is not a GGUF file");
    throw SourceFailure("the file is damaged: its SHA-256 is " + found + ", not " + sha256);
  }
  if (::fsync(file_.get()) != 0) fail_writing(errno);
  std::error_code error;
  std::filesystem::rename(path_, target_, error);
  if (error) throw UserError(target_.string(), "cannot be written: " + error.message());
  sync_folder(target_.parent_path());
  file_ = Descriptor();
}

void PartFile::fail_writing(int error) const {
  if (error == ENOSPC || error == EDQUOT)
    throw UserError(
        path_.string(), "no space is left on this disk (" + bytes_text(size_) + " are there)",
        "make room, or set LITESTAGE_CACHE to a folder on another disk, and run the same "
        "command again: it goes on from here");
  throw UserError(path_.string(), "cannot be written: " + reason(error),
                  "set LITESTAGE_CACHE to a folder that takes a file of this size");
}

bool PartFile::begins_as_gguf() const {
  std::array<char, 4> magic{};
  return ::pread(file_.get(), magic.data(), magic.size(), 0) == 4 &&
         std::memcmp(magic.data(), "GGUF", 4) == 0;
}

void require_space(const std::filesystem::path& folder, std::uint64_t bytes) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  if (error || space.available >= bytes) return;
  throw UserError(folder.string(),
                  "the download needs " + bytes_text(bytes) + ", and only " +
                      bytes_text(space.available) + " are free on this disk",
                  "make room, or set LITESTAGE_CACHE to a folder on another disk");
}

}  // namespace litestage::fetch
