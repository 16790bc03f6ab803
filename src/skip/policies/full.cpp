// The program as it is: LiteStage's own yardstick (Kang, Song and Kim, arXiv 2510.14211).

#include "skip/policies/policies.h"

namespace litestage {

PolicyKind full_policy() {
  return {.name = "full",
          .help = {"full", "the program as it is, nothing left out",
                   "the baseline of Kang, Song and Kim, LiteStage, arXiv 2510.14211"}};
}

}  // namespace litestage
