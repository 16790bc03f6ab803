// Writes a tiny random model with a chat template: litestage_tiny_model PATH
#include <cstdio>

#include "support/tiny_model.h"

int main(int argc, char** argv) {
  using namespace litestage::test;
  if (argc != 2) {
    std::fputs("usage: litestage_tiny_model PATH\n", stderr);
    return 2;
  }
  TinyModel model(TinyOptions{});
  gguf_set_val_str(model.keys(), "tokenizer.chat_template",
                   "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}");
  model.write(argv[1]);
}
