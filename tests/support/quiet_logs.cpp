// libllama and ggml tell a lot about each file; the tests load thousands.

#include <ggml.h>
#include <llama.h>

namespace litestage::test {
namespace {

[[maybe_unused]] const bool QUIET = [] {
  const auto ignore = [](ggml_log_level, const char*, void*) {};
  llama_log_set(ignore, nullptr);
  ggml_log_set(ignore, nullptr);
  return true;
}();

}  // namespace
}  // namespace litestage::test
