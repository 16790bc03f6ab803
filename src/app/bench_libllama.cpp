#include "app/bench_libllama.h"

#include <llama.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "app/libllama_batch.h"
#include "litestage/error.h"
#include "model/kv_cache.h"

namespace litestage::app {
namespace {

class LibllamaEngine : public BenchEngine {
 public:
  LibllamaEngine(LibllamaContext context, int size) : context_(std::move(context)), batch_(size) {}

  void clear() override {
    llama_memory_clear(llama_get_memory(context_.get()), false);
    length_ = 0;
  }

  void prefill(int sequence, std::span<const Token> tokens) override {
    if (sequence == 0) start_ = length_;
    length_ = start_;
    batch_.clear();
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      batch_.add(tokens[i], length_++, sequence, i + 1 == tokens.size());
    }
    decode();
  }

  void fork(int count) override {
    for (int sequence = 1; sequence < count; ++sequence) {
      llama_memory_seq_cp(llama_get_memory(context_.get()), 0, sequence, -1, -1);
    }
  }

  void step(std::span<const Token> tokens) override {
    batch_.clear();
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      batch_.add(tokens[i], length_, static_cast<int>(i), true);
    }
    ++length_;
    decode();
  }

 private:
  void decode() {
    if (llama_decode(context_.get(), batch_.get()) != 0) {
      throw std::runtime_error("llama_decode failed");
    }
    llama_synchronize(context_.get());
  }

  LibllamaContext context_;
  LibllamaBatch batch_;
  int length_ = 0;  // tokens of each sequence: all of them grow alike
  int start_ = 0;   // before all of them read a prompt
};

}  // namespace

LibllamaModel::LibllamaModel(const std::filesystem::path& path, const ModelOptions& options) {
  std::array<ggml_backend_dev_t, 2> devices{};  // ends with a null pointer
  llama_model_params parameters = llama_model_default_params();
  parameters.n_gpu_layers = options.gpu_layers;
  parameters.use_extra_bufts = options.repack;
  parameters.check_tensors = options.check_tensors;
  if (!options.device.empty()) {
    devices[0] = ggml_backend_dev_by_name(options.device.c_str());
    if (devices[0] == nullptr) {
      throw UserError("--device", "there is no device '" + options.device + "'",
                      "'litestage doctor' lists them");
    }
    parameters.devices = devices.data();
  }
  model_ = {llama_model_load_from_file(path.c_str(), parameters), [](llama_model* model) {
              if (model != nullptr) llama_model_free(model);
            }};
  if (!model_) throw UserError(path.string(), "libllama cannot load it", "--verbose shows why");
}

LibllamaContext LibllamaModel::make_context(const DecoderOptions& options, EngineSize size) const {
  llama_context_params parameters = llama_context_default_params();
  parameters.n_ctx = static_cast<std::uint32_t>(size.context);
  parameters.n_batch = parameters.n_ctx;
  parameters.n_ubatch = static_cast<std::uint32_t>(options.ubatch);
  parameters.n_seq_max = static_cast<std::uint32_t>(size.sequences);
  parameters.n_threads = options.threads;
  parameters.n_threads_batch = options.threads;
  parameters.flash_attn_type = options.flash_attention != FlashAttention::off
                                   ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                   : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  parameters.type_k = storage_type(options.kv_type);
  parameters.type_v = storage_type(options.kv_type);
  parameters.no_perf = true;
  parameters.kv_unified = size.share_cells;
  LibllamaContext context(llama_init_from_model(model_.get(), parameters),
                          [model = model_](llama_context* made) { llama_free(made); });
  if (!context) throw UserError("libllama", "it made no context of this size and KV type");
  return context;
}

std::unique_ptr<BenchEngine> LibllamaModel::make_engine(const DecoderOptions& options,
                                                        EngineSize size) const {
  return std::make_unique<LibllamaEngine>(make_context(options, size), size.context);
}

}  // namespace litestage::app
