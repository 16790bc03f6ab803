// Loads any bytes as a model and, when that works, computes two tokens. Only UserError may come
// out. Give it a folder of seeds: gguf_fuzz -max_len=65536 seeds/

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/error.h"

namespace {

/// A file in memory that has a path.
class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* data, std::size_t size)
      : descriptor_(memfd_create("fuzz.gguf", MFD_CLOEXEC)) {
    if (write(descriptor_, data, size) != static_cast<ssize_t>(size)) __builtin_trap();
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file(data, size);
  try {
    const auto model = litestage::Model::load(file.path());
    litestage::DecoderOptions options;
    options.context = 16;
    options.threads = 1;
    litestage::Decoder decoder(model, options);
    decoder.forward(0, std::vector<litestage::Token>{0, 1});
  } catch (const litestage::UserError&) {
    return 0;
  }
  return 0;
}
