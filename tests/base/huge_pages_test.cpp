#include "base/huge_pages.h"

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/mman.h>

namespace litestage {
namespace {

constexpr std::size_t MIB = std::size_t{1} << 20;

/// Untouched memory of its own, as the allocator takes it for weights.
class FreshMemory {
 public:
  explicit FreshMemory(std::size_t size)
      : size_(size),
        data_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~FreshMemory() { munmap(data_, size_); }
  FreshMemory(const FreshMemory&) = delete;
  FreshMemory& operator=(const FreshMemory&) = delete;
  char* data() const { return static_cast<char*>(data_); }

 private:
  std::size_t size_;
  void* data_;
};

/// What the system notes of the mapping that holds an address, as in "rd wr mr mw me ac hg"; empty
/// where it notes nothing.
std::string mapping_flags(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t first = 0;
    std::uintptr_t last = 0;
    char dash = 0;
    if (std::istringstream range(line); range >> std::hex >> first >> dash >> last && dash == '-')
      inside = wanted >= first && wanted < last;
    else if (inside && line.starts_with("VmFlags:"))
      return line + " ";
  }
  return {};
}

bool is_advised(const void* address) {
  return mapping_flags(address).find(" hg ") != std::string::npos;
}

bool system_knows_huge_pages() {
  return std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled").good() &&
         !mapping_flags(&MIB).empty();
}

TEST(HugePagesTest, AreAskedForBehindWholePagesAlone) {
  if (!system_knows_huge_pages()) GTEST_SKIP() << "this system has no transparent huge pages";
  const FreshMemory memory(16 * MIB);
  prefer_huge_pages(memory.data() + 4 * MIB + 1, 8 * MIB);
  EXPECT_FALSE(is_advised(memory.data()));
  EXPECT_FALSE(is_advised(memory.data() + 4 * MIB)) << "its page begins before the advised range";
  EXPECT_TRUE(is_advised(memory.data() + 5 * MIB));
  EXPECT_TRUE(is_advised(memory.data() + 12 * MIB - 1));
  EXPECT_FALSE(is_advised(memory.data() + 12 * MIB)) << "its page ends behind the advised range";
}

TEST(HugePagesTest, LeaveLessThanAPageAsItIs) {
  const FreshMemory memory(2 * MIB);
  prefer_huge_pages(memory.data() + 1, 4095);
  prefer_huge_pages(memory.data(), 0);
  EXPECT_FALSE(is_advised(memory.data()));
}

TEST(HugePagesTest, ChangeNothingThatIsInMemory) {
  const FreshMemory memory(4 * MIB);
  memory.data()[MIB] = 'x';
  prefer_huge_pages(memory.data(), 4 * MIB);
  EXPECT_EQ(memory.data()[MIB], 'x');
}

}  // namespace
}  // namespace litestage
