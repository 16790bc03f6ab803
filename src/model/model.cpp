#include "litestage/model.h"

#include <cassert>
#include <future>

#include "litestage/tokenizer.h"
#include "model/families/family.h"
#include "model/gguf_file.h"
#include "model/model_config.h"
#include "model/model_weights.h"

namespace litestage {

struct Model::Impl {
  std::filesystem::path path;
  std::string architecture;
  ModelConfig config;
  std::unique_ptr<ModelWeights> weights;
  std::unique_ptr<Tokenizer> tokenizer;
};

Model::Model() : impl_(std::make_unique<Impl>()) {}
Model::~Model() = default;

std::shared_ptr<const Model> Model::load(const std::filesystem::path& path,
                                         const ModelOptions& options) {
  const GgufFile file(path);
  const std::shared_ptr<Model> model(new Model);
  Impl& impl = *model->impl_;
  impl.path = path;
  file.check_vocabulary();
  impl.config = read_model_config(file);
  impl.architecture = impl.config.family->architecture;
  // The vocabulary takes about as long as the weights; neither needs the other.
  auto tokenizer = std::async(std::launch::async, [&file, &path] {
    file.check_tokens_differ();
    return std::make_unique<Tokenizer>(path);
  });
  impl.weights = load_weights(file, impl.config, options);
  impl.tokenizer = tokenizer.get();
  return model;
}

const std::filesystem::path& Model::path() const {
  return impl_->path;
}
const std::string& Model::architecture() const {
  return impl_->architecture;
}
const std::string& Model::name() const {
  return impl_->config.name;
}
int Model::layer_count() const {
  return impl_->config.n_layers;
}
int Model::embedding_size() const {
  return impl_->config.n_embd;
}
int Model::vocabulary_size() const {
  return impl_->config.n_vocab;
}
int Model::trained_context() const {
  return impl_->config.n_ctx_train;
}
std::size_t Model::weight_bytes() const {
  return impl_->weights->total_bytes;
}
const Tokenizer& Model::tokenizer() const {
  return *impl_->tokenizer;
}
const ModelConfig& Model::config() const {
  return impl_->config;
}
const ModelWeights& Model::weights() const {
  return *impl_->weights;
}

std::size_t Model::head_bytes() const {
  return ggml_nbytes(impl_->weights->output);
}

std::size_t Model::sublayer_bytes(Sublayer sublayer, int layer) const {
  assert(layer >= 0 && layer < layer_count());
  return impl_->weights->layers[static_cast<std::size_t>(layer)]
      .bytes[static_cast<std::size_t>(sublayer)];
}

std::size_t Model::bytes_per_token(const SublayerMask& mask) const {
  std::size_t bytes = impl_->weights->head_bytes;
  for (int layer = 0; layer < layer_count(); ++layer) {
    for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
      if (!mask.skips(sublayer, layer)) bytes += sublayer_bytes(sublayer, layer);
    }
  }
  return bytes;
}

}  // namespace litestage
