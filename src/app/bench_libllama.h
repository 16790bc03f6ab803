#pragma once

#include <filesystem>
#include <memory>

#include "app/bench_engine.h"
#include "litestage/decoder.h"
#include "litestage/model.h"

struct llama_context;
struct llama_model;

namespace litestage::app {

/// Keeps its model's weights, too.
using LibllamaContext = std::shared_ptr<llama_context>;

/// A model loaded by libllama itself, to compare with. Copies share the weights.
class LibllamaModel {
 public:
  /// @param options the same meaning as for Model::load
  /// @throws UserError when libllama cannot load the file
  LibllamaModel(const std::filesystem::path& path, const ModelOptions& options);

  /// A context with a unified KV cache. Threads, ubatch, KV type and flash attention come from
  /// `options`; context and sequences from `size`.
  /// @throws UserError when libllama makes no such context
  LibllamaContext make_context(const DecoderOptions& options, EngineSize size) const;

  /// llama_decode as a benchmark drives it, in such a context of its own.
  /// @throws UserError when libllama makes no such context
  std::unique_ptr<BenchEngine> make_engine(const DecoderOptions& options, EngineSize size) const;

 private:
  std::shared_ptr<llama_model> model_;
};

}  // namespace litestage::app
