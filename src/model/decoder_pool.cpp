#include "litestage/decoder_pool.h"

#include "model/pool_client.h"

namespace litestage {

DecoderPool::DecoderPool(std::shared_ptr<const Model> model, const DecoderOptions& options,
                         std::shared_ptr<const HeadPreview> preview)
    : worker_(std::make_shared<PoolWorker>(std::move(model), options)),
      preview_(std::move(preview)) {}
DecoderPool::~DecoderPool() = default;

Decoder DecoderPool::client() {
  auto client = std::make_unique<PoolClient>(worker_);
  client->set_head_preview(preview_);
  return Decoder(std::move(client));
}

DecoderPool::Statistics DecoderPool::statistics() const {
  return worker_->statistics();
}

}  // namespace litestage
