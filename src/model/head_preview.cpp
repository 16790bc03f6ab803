#include "litestage/head_preview.h"

#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "base/file_endings.h"
#include "litestage/decoder.h"
#include "litestage/error.h"
#include "litestage/model.h"
#include "model/backend.h"
#include "model/gguf_file.h"
#include "model/head_file.h"
#include "model/head_preview_tensors.h"
#include "model/model_weights.h"
#include "model/panel_product.h"
#include "model/weight_panels.h"

namespace litestage {
namespace {

constexpr const char* LEARN_AGAIN = "make it again with 'litestage head'";

GgufTensor find_tensor(const GgufFile& file, const char* name) {
  const std::optional<GgufTensor> found = file.tensor(name);
  if (!found) file.fail(fmt::format("tensor {} is missing", name), LEARN_AGAIN);
  return *found;
}

HeadPreviewInfo read_info(const GgufFile& file) {
  constexpr std::int64_t MANY = std::numeric_limits<std::int64_t>::max();
  if (file.text_or("general.type", "") != head_file::KIND)
    file.fail("is not a head preview", LEARN_AGAIN);
  HeadPreviewInfo info;
  info.model_hash = file.text(head_file::MODEL_HASH);
  info.rotated = file.flag_or(head_file::ROTATED, false);
  info.proposals = static_cast<int>(file.integer(head_file::PROPOSALS, 1, 1 << 20));
  info.margin = file.number(head_file::MARGIN);
  info.learned_tokens = file.integer_or(head_file::LEARNED_TOKENS, 0, 0, MANY);
  info.checked_tokens = file.integer_or(head_file::CHECKED_TOKENS, 0, 0, MANY);
  info.missed = file.integer_or(head_file::MISSED, 0, 0, MANY);
  info.full = file.integer_or(head_file::FULL, 0, 0, MANY);
  return info;
}

}  // namespace

struct HeadPreview::Impl {
  HeadPreviewInfo info;
  HeadPreviewTensors tensors;
  std::size_t bytes = 0;
  std::vector<ggml_context_ptr> contexts;
  std::vector<ggml_backend_buffer_ptr> buffers;

  enum class Layout : std::uint8_t { in_file, of_ggml, panels };
  ggml_tensor* place(const GgufFile& file, const GgufTensor& found, Layout layout);
};

/// Reads a tensor into a buffer that suits multiplication on this CPU.
ggml_tensor* HeadPreview::Impl::place(const GgufFile& file, const GgufTensor& found,
                                      Layout layout) {
  std::vector<char> values(found.bytes);
  std::ifstream stream(file.path(), std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(found.offset));
  stream.read(values.data(), static_cast<std::streamsize>(values.size()));
  if (!stream) file.fail("cannot be read", LEARN_AGAIN);
  if (!ggml_validate_row_data(found.type, values.data(), values.size()))
    file.fail("holds NaN or infinity", LEARN_AGAIN);
  contexts.emplace_back(
      ggml_init({.mem_size = ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true}));
  ggml_tensor* tensor =
      ggml_new_tensor_2d(contexts.back().get(), found.type, found.shape[0], found.shape[1]);
  buffers.push_back(
      allocate_weights(contexts.back().get(),
                       matrix_buffer_type(cpu_buffer_types(layout == Layout::of_ggml), tensor)));
  if (!buffers.back()) file.fail("there is no memory for it", "run without it: --head full");
  if (layout == Layout::panels) {
    lay_out_panels(found.type, std::as_bytes(std::span(values)), found.shape[0],
                   {static_cast<std::byte*>(tensor->data), found.bytes}, default_thread_count());
  } else {
    ggml_backend_tensor_set(tensor, values.data(), 0, values.size());
  }
  bytes += found.bytes;
  return tensor;
}

HeadPreview::HeadPreview() : impl_(std::make_unique<Impl>()) {}
HeadPreview::~HeadPreview() = default;

std::shared_ptr<const HeadPreview> HeadPreview::load(const std::filesystem::path& path,
                                                     const Model& model, const std::string& hash) {
  const GgufFile file(path);
  const std::shared_ptr<HeadPreview> preview(new HeadPreview);
  Impl& impl = *preview->impl_;
  impl.info = read_info(file);
  if (impl.info.model_hash != hash) file.fail("was made for another model", LEARN_AGAIN);
  if (model.weights().output->buffer == nullptr || model.weights().head_rows == nullptr) {
    file.fail("the model's head lies on a device, where a preview does not help",
              "leave the preview out: --head full");
  }
  const GgufTensor matrix = find_tensor(file, head_file::MATRIX);
  const bool right_type = matrix.type == GGML_TYPE_Q4_0 || matrix.type == GGML_TYPE_Q8_0 ||
                          matrix.type == GGML_TYPE_F32;
  const std::int64_t rank = matrix.shape[0];
  if (!right_type || !matrix.is(rank, model.vocabulary_size()) || rank > model.embedding_size() ||
      (!impl.info.rotated && rank != model.embedding_size())) {
    file.fail("its matrix does not fit the model", LEARN_AGAIN);
  }
  impl.info.rank = static_cast<int>(rank);
  impl.tensors.matrix_in_panels =
      cpu_prefers_panels() && fits_panels(matrix.type, rank, model.vocabulary_size());
  impl.tensors.matrix = impl.place(
      file, matrix, impl.tensors.matrix_in_panels ? Impl::Layout::panels : Impl::Layout::of_ggml);
  if (impl.info.rotated) {
    const GgufTensor projection = find_tensor(file, head_file::PROJECTION);
    if (projection.type != GGML_TYPE_F32 || !projection.is(model.embedding_size(), rank))
      file.fail("its projection does not fit the model", LEARN_AGAIN);
    impl.tensors.projection = impl.place(file, projection, Impl::Layout::in_file);
  }
  return preview;
}

const HeadPreviewInfo& HeadPreview::info() const {
  return impl_->info;
}
std::size_t HeadPreview::bytes() const {
  return impl_->bytes;
}
const HeadPreviewTensors& HeadPreview::tensors() const {
  return impl_->tensors;
}

std::filesystem::path head_preview_path(const std::filesystem::path& model) {
  std::filesystem::path path = model;
  return path.replace_extension(HEAD_PREVIEW_ENDING);
}

}  // namespace litestage
