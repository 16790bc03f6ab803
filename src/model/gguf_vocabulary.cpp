// What libllama reads of a vocabulary, checked beforehand: it aborts on some of these.
#include <array>
#include <string>
#include <unordered_set>

#include <fmt/format.h>

#include "model/gguf_file.h"

namespace litestage {
namespace {

/// Checks that an optional array has one of the element types and at least `count` elements.
void check_array(const GgufFile& file, const std::string& key,
                 std::initializer_list<gguf_type> types, std::size_t count) {
  const std::int64_t id = gguf_find_key(file.header(), key.c_str());
  if (id < 0) return;
  if (gguf_get_kv_type(file.header(), id) != GGUF_TYPE_ARRAY)
    file.fail(fmt::format("key {} is no array", key), GET_AGAIN);
  const gguf_type type = gguf_get_arr_type(file.header(), id);
  bool fits = false;
  for (const gguf_type expected : types)
    fits = fits || type == expected;
  if (!fits) {
    file.fail(fmt::format("key {} is an array of {}, but {} is expected", key, gguf_type_name(type),
                          gguf_type_name(*types.begin())),
              GET_AGAIN);
  }
  if (gguf_get_arr_n(file.header(), id) < count) {
    file.fail(fmt::format("key {} has {} entries for {} tokens", key,
                          gguf_get_arr_n(file.header(), id), count),
              GET_AGAIN);
  }
}

}  // namespace

void GgufFile::check_tokens_differ() const {
  const std::int64_t id = find("tokenizer.ggml.tokens");
  const std::size_t count = token_count();
  std::unordered_set<std::string_view> seen(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view token = gguf_get_arr_str(header_.get(), id, i);
    if (!token.empty() && !seen.insert(token).second) {
      fail(fmt::format("token {} of its vocabulary stands twice", i), GET_AGAIN);
    }
  }
}

void GgufFile::check_vocabulary() const {
  const std::string model = text("tokenizer.ggml.model");
  if (model != "llama" && model != "gpt2") {
    fail(fmt::format("its tokenizer \"{}\" is not supported", model),
         "supported are llama (SPM) and gpt2 (BPE)");
  }
  text_or("tokenizer.ggml.pre", "");
  const std::string tokens = "tokenizer.ggml.tokens";
  if (!has(tokens)) fail("it has no vocabulary (key tokenizer.ggml.tokens is missing)", GET_AGAIN);
  check_array(*this, tokens, {GGUF_TYPE_STRING}, 1);
  const std::size_t count = token_count();
  check_array(*this, "tokenizer.ggml.scores", {GGUF_TYPE_FLOAT32, GGUF_TYPE_INT32}, count);
  check_array(*this, "tokenizer.ggml.token_type", {GGUF_TYPE_INT32}, count);
  check_array(*this, "tokenizer.ggml.merges", {GGUF_TYPE_STRING}, 0);
  check_array(*this, "tokenizer.ggml.suppress_tokens", {GGUF_TYPE_INT32}, 0);
  if (model == "gpt2" && !has("tokenizer.ggml.merges"))
    fail("its BPE vocabulary has no merges", GET_AGAIN);

  constexpr std::array IDS = {"bos",     "eos",       "eot",     "eom",
                              "unknown", "seperator", "padding", "mask"};
  for (const char* id : IDS) {
    const std::string key = fmt::format("tokenizer.ggml.{}_token_id", id);
    integer_or(key, 0, 0, static_cast<std::int64_t>(count) - 1);
  }
  for (const char* key : {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token",
                          "tokenizer.ggml.add_space_prefix"}) {
    flag_or(key, false);
  }
  text_or("tokenizer.chat_template", "");
}

}  // namespace litestage
