// What a user would do instead of leaving sublayers out: the same model in a smaller weight type,
// by libllama's own quantiser (llama_model_quantize of ggml-org/llama.cpp).

#include "model/requantize.h"
#include "skip/policies/policies.h"

namespace litestage {

PolicyKind requant_policy() {
  return {.name = "requant",
          .operand = "a weight type",
          .read_operand = requantize_type,
          .help = {"requant:TYPE",
                   "the same model with its weights in a smaller type, nothing left out",
                   "llama_model_quantize of ggml-org/llama.cpp"},
          .model = PolicyModel::requantized};
}

}  // namespace litestage
