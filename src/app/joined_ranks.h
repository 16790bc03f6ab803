#pragma once

#include <memory>

#include "base/ranks.h"

namespace litestage::app {

/// This process among those that were started together (by mpirun, say).
class JoinedRanks : public Ranks {
 public:
  /// Ends all of them: one that fails would leave the others waiting for it.
  [[noreturn]] virtual void give_up(int exit_code) = 0;
};

/// Joins the others, where there are any; null for a process that was started alone.
/// @throws UserError when several were started and this litestage was built without MPI
std::unique_ptr<JoinedRanks> join_ranks(int& argc, char**& argv);

}  // namespace litestage::app
