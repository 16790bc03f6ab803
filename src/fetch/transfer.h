#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace litestage::fetch {

/// Why one source could not deliver; the next one may. What is wrong with this machine (disk,
/// permission) is a UserError instead, because no other source would mend it.
class SourceFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class TransferEnd : std::uint8_t { complete, interrupted };

/// Bytes of the whole file that are there, and of how many (0: unknown); false stops the transfer.
using ByteProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// "98.4 MB", in powers of ten as disks and networks count.
std::string bytes_text(std::uint64_t bytes);

/// The value of an environment variable, empty when unset.
std::string environment(const char* name);

}  // namespace litestage::fetch
