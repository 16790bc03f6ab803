#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace litestage::app {

/// What the system's files say of memory; empty where there is none.
struct MemoryFiles {
  std::string meminfo;  ///< /proc/meminfo
  std::string limit;    ///< the control group's memory.max
  std::string used;     ///< its memory.current, files that it keeps in memory included
  std::string usage;    ///< its memory.stat: how much of that are files, which make room
};

/// Bytes that a program may still take: what the system says, and no more than its control group (a
/// container's) leaves.
/// @return nothing where it is not known
std::optional<std::size_t> available_memory(const MemoryFiles& files);

/// Of this program.
std::optional<std::size_t> available_memory();

/// Bytes of the whole machine. @return nothing where it is not known
std::optional<std::size_t> total_memory();

}  // namespace litestage::app
