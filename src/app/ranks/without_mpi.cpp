#include <fmt/format.h>

#include "app/joined_ranks.h"
#include "app/ranks/started.h"
#include "litestage/error.h"

namespace litestage::app {

std::unique_ptr<JoinedRanks> join_ranks(int& /*argc*/, char**& /*argv*/) {
  if (const int started = processes_started(); started > 1) {
    throw UserError(
        "mpirun",
        fmt::format("started {} processes, and this litestage was built without MPI", started),
        "configure it with -D LITESTAGE_MPI=ON");
  }
  return nullptr;
}

}  // namespace litestage::app
