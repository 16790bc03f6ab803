#pragma once

#include <array>
#include <cstdlib>

namespace litestage::app {

/// How many processes the usual launchers (Open MPI's, and those that speak PMI) say they started
/// together; 1 without a launcher.
inline int processes_started() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const char* value = std::getenv(name); value != nullptr) return std::atoi(value);
  }
  return 1;
}

}  // namespace litestage::app
