// Qwen3: queries and keys normalised a head.
#include "model/families/family.h"

namespace litestage {

const Family QWEN3 = {.architecture = "qwen3", .qk_norm = QkNorm::per_head};

}  // namespace litestage
