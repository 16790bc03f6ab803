// No stages: the zero-shot baseline that reasoning in steps is compared with (Kojima and others,
// NeurIPS 2022, arXiv 2205.11916).

#include "skip/policies/policies.h"

namespace litestage {

PolicyKind direct_policy() {
  return {.name = "direct",
          .help = {"direct", "the answer straight from the question, without stages",
                   "the zero-shot baseline of Kojima et al., NeurIPS 2022, arXiv 2205.11916"},
          .in_stages = false};
}

}  // namespace litestage
