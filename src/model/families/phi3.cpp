// Phi-3 and Phi-4-mini: fused projections, RoPE factors for long contexts. Like libllama, the
// sliding window that some files announce is not applied.
#include "model/families/family.h"

namespace litestage {

const Family PHI3 = {.architecture = "phi3", .fused_gate_up = true, .scale_queries = true};

}  // namespace litestage
