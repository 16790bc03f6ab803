// What a user would do instead of leaving sublayers out: another model. A control, and nobody's
// method.

#include "skip/policies/policies.h"

namespace litestage {

PolicyKind model_policy() {
  return {.name = "model",
          .operand = "a model's name or file",
          .help = {"model:NAME", "another model, nothing left out", ""},
          .model = PolicyModel::named};
}

}  // namespace litestage
