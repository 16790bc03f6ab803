// Qwen2 and 2.5: biases on queries, keys and values, which any family may have.
#include "model/families/family.h"

namespace litestage {

const Family QWEN2 = {.architecture = "qwen2"};

}  // namespace litestage
