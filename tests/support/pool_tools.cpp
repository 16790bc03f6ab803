#include "support/pool_tools.h"

#include <thread>
#include <vector>

#include "support/decoder_tools.h"

namespace litestage::test {

void on_threads(int count, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back(work, i);
  for (std::thread& thread : threads)
    thread.join();
}

DecoderOptions exact_decoder(int context, MissingKv missing_kv) {
  DecoderOptions options = few_cells(missing_kv);
  options.context = context;
  return options;
}

}  // namespace litestage::test
