#pragma once

#include <llama.h>

#include "litestage/tokenizer.h"

namespace litestage::app {

/// A llama_batch that frees itself; each token belongs to one sequence.
class LibllamaBatch {
 public:
  explicit LibllamaBatch(int capacity) : batch_(llama_batch_init(capacity, 0, 1)) {}
  ~LibllamaBatch() { llama_batch_free(batch_); }
  LibllamaBatch(const LibllamaBatch&) = delete;
  LibllamaBatch& operator=(const LibllamaBatch&) = delete;

  void clear() { batch_.n_tokens = 0; }
  void add(Token token, int position, int sequence, bool logits) {
    const int index = batch_.n_tokens++;
    batch_.token[index] = token;
    batch_.pos[index] = position;
    batch_.n_seq_id[index] = 1;
    batch_.seq_id[index][0] = sequence;
    batch_.logits[index] = logits ? 1 : 0;
  }
  const llama_batch& get() const { return batch_; }

 private:
  llama_batch batch_;
};

}  // namespace litestage::app
