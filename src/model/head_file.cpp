#include "model/head_file.h"

#include "base/file_beside.h"

namespace litestage {
namespace {

void set_keys(gguf_context* file, const HeadPreviewInfo& info) {
  gguf_set_val_str(file, "general.type", head_file::KIND);
  gguf_set_val_str(file, head_file::MODEL_HASH, info.model_hash.c_str());
  gguf_set_val_bool(file, head_file::ROTATED, info.rotated);
  gguf_set_val_i32(file, head_file::PROPOSALS, info.proposals);
  gguf_set_val_f32(file, head_file::MARGIN, info.margin);
  gguf_set_val_i64(file, head_file::LEARNED_TOKENS, info.learned_tokens);
  gguf_set_val_i64(file, head_file::CHECKED_TOKENS, info.checked_tokens);
  gguf_set_val_i64(file, head_file::MISSED, info.missed);
  gguf_set_val_i64(file, head_file::FULL, info.full);
}

}  // namespace

void write_head_file(const HeadFileData& data, const std::filesystem::path& path) {
  const gguf_context_ptr file(gguf_init_empty());
  set_keys(file.get(), data.info);
  const ggml_context_ptr context(
      ggml_init({.mem_size = ggml_tensor_overhead() * 2, .mem_buffer = nullptr, .no_alloc = true}));
  const auto add = [&](ggml_type type, std::int64_t columns, std::int64_t rows, const char* name,
                       const void* values) {
    ggml_tensor* tensor = ggml_new_tensor_2d(context.get(), type, columns, rows);
    ggml_set_name(tensor, name);
    gguf_add_tensor(file.get(), tensor);
    gguf_set_tensor_data(file.get(), name, values);
  };
  if (!data.projection.empty()) {
    add(GGML_TYPE_F32, data.n_embd, data.info.rank, head_file::PROJECTION, data.projection.data());
  }
  add(data.type, data.info.rank, data.n_vocab, head_file::MATRIX, data.matrix.data());

  const FileBeside beside(path.string());
  if (!gguf_write_to_file(file.get(), beside.path().c_str(), false))
    beside.fail("writing ended before the file did");
  beside.take_its_place();
}

}  // namespace litestage
