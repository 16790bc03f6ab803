#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "fetch/checksum.h"
#include "fetch/descriptor.h"
#include "fetch/transfer.h"

namespace litestage::fetch {

/// A file on its way in: TARGET.part, until it is whole and checked and takes the target's place in
/// one step. What came so far stays on the disk for the next run, whatever ends this one.
class PartFile {
 public:
  /// Opens or creates TARGET.part, and its folder, and locks it against a second download.
  /// @param checking told how far `keep` has read
  /// @throws UserError when that is not possible or another process holds it
  explicit PartFile(std::filesystem::path target, ByteProgress checking = {});
  /// Closes; removes the part when nothing has come.
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  std::uint64_t size() const { return size_; }
  const std::filesystem::path& target() const { return target_; }

  /// Keeps the first `bytes` (at most `size()`) and reads them again for the checksum.
  /// @return false when `checking` said stop
  bool keep(std::uint64_t bytes);
  /// Adds at the end; `keep` must have been called once.
  /// @throws UserError when the disk is full or a limit is reached; what was added before stays
  void append(std::span<const std::byte> bytes);
  /// Makes the part the target once its checksum is right.
  /// @param sha256 expected; when empty the file must at least begin as GGUF does
  /// @throws SourceFailure when the content is wrong: then the part is removed
  void commit(const std::string& sha256);

 private:
  void open_and_lock();
  [[noreturn]] void fail_writing(int error) const;
  bool begins_as_gguf() const;

  std::filesystem::path target_;
  std::filesystem::path path_;
  ByteProgress checking_;
  Descriptor file_;
  std::uint64_t size_ = 0;
  Sha256 sha_;
};

/// Refuses a download that cannot fit before it begins.
/// @throws UserError
void require_space(const std::filesystem::path& folder, std::uint64_t bytes);

}  // namespace litestage::fetch
