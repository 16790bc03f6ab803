#include "base/huge_pages.h"

#include <memory>

#include <sys/mman.h>
#include <unistd.h>

namespace litestage {

void prefer_huge_pages([[maybe_unused]] void* begin, [[maybe_unused]] std::size_t bytes) {
#ifdef MADV_HUGEPAGE
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::size_t left = bytes;
  if (std::align(page, page, begin, left) == nullptr) return;  // not one whole page
  madvise(begin, left / page * page, MADV_HUGEPAGE);
#endif
}

}  // namespace litestage
