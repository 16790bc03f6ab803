// Llama 1 to 3.2, Mistral, SmolLM2 and others that share the architecture.
#include "model/families/family.h"

namespace litestage {

const Family LLAMA = {.architecture = "llama", .rope = RopeKind::pairs};

}  // namespace litestage
