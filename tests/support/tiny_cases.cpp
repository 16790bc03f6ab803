#include "support/tiny_cases.h"

#include <functional>
#include <random>
#include <utility>

namespace litestage::test {
namespace {

using Change = std::function<void(TinyOptions&)>;

TinyOptions plain(const std::string& family) {
  TinyOptions options{.family = family};
  if (family == "gemma3") {
    options.tied = true;
    options.layers = 4;
    options.window = 6;
    options.window_pattern = 3;
    options.window_rope_base = 5000.0F;
    options.rope_base = 50000.0F;
  }
  if (family == "granite") {
    options.embedding_scale = 3.0F;
    options.residual_scale = 0.6F;
    options.attention_scale = 0.2F;
    options.logit_scale = 2.0F;
  }
  if (family == "phi3") options.fused_qkv = true;
  if (family == "qwen2") options.qkv_bias = true;
  if (family == "smollm3") options.layers = 5;
  return options;
}

std::vector<std::pair<std::string, Change>> common_features() {
  return {
      {"plain", [](TinyOptions&) {}},
      {"one_kv_head", [](TinyOptions& o) { o.kv_heads = 1; }},
      {"as_many_kv_heads", [](TinyOptions& o) { o.kv_heads = o.heads; }},
      {"split_qkv", [](TinyOptions& o) { o.fused_qkv = false; }},
      {"fused_qkv", [](TinyOptions& o) { o.fused_qkv = true; }},
      {"no_qkv_bias", [](TinyOptions& o) { o.qkv_bias = false; }},
      {"qkv_bias", [](TinyOptions& o) { o.qkv_bias = true; }},
      {"fused_qkv_bias", [](TinyOptions& o) { o.fused_qkv = o.qkv_bias = true; }},
      {"rope_linear", [](TinyOptions& o) { o.rope_scaling = RopeScaling::linear; }},
      {"rope_yarn",
       [](TinyOptions& o) {
         o.rope_scaling = RopeScaling::yarn;
         o.original_context = 16;
       }},
      {"rope_yarn_attn_factor",
       [](TinyOptions& o) {
         o.rope_scaling = RopeScaling::yarn;
         o.rope_factor = 8.0F;
         o.rope_attn_factor = 1.3F;
       }},
      {"bpe_vocabulary", [](TinyOptions& o) { o.tokenizer = TinyTokenizer::bpe; }},
      {"big_heads",
       [](TinyOptions& o) {
         o.embd = 128;
         o.heads = 2;
         o.kv_heads = 1;
       }},
      {"one_layer",
       [](TinyOptions& o) {
         o.layers = 1;
         o.window_layers.clear();
       }},
  };
}

void add_optional_features(const FamilyTraits& traits,
                           std::vector<std::pair<std::string, Change>>& features) {
  if (traits.may_tie) {
    features.emplace_back("tied", [](TinyOptions& o) { o.tied = true; });
    features.emplace_back("untied", [](TinyOptions& o) { o.tied = false; });
  }
  if (traits.free_head_size) {
    features.emplace_back("wide_heads", [](TinyOptions& o) { o.head_size = 32; });
    features.emplace_back("narrow_heads", [](TinyOptions& o) { o.head_size = 8; });
  }
  if (traits.may_ffn_bias)
    features.emplace_back("ffn_bias", [](TinyOptions& o) { o.ffn_bias = true; });
  if (traits.may_head_bias)
    features.emplace_back("head_bias", [](TinyOptions& o) { o.head_bias = true; });
  if (traits.may_output_bias) {
    features.emplace_back("all_biases", [](TinyOptions& o) {
      o.attention_output_bias = o.qkv_bias = o.ffn_bias = true;
    });
  }
  if (traits.may_softcap)
    features.emplace_back("softcap", [](TinyOptions& o) { o.final_softcap = 5.0F; });
  if (traits.may_rope_factors) {
    features.emplace_back("rope_longrope_short", [](TinyOptions& o) {
      o.rope_scaling = RopeScaling::longrope;
      o.rope_attn_factor = 1.19F;
      o.original_context = 1024;
    });
    features.emplace_back("rope_longrope_long", [](TinyOptions& o) {
      o.rope_scaling = RopeScaling::longrope;
      o.rope_attn_factor = 1.19F;
      o.original_context = 64;
    });
  }
}

void add_window_features(std::vector<std::pair<std::string, Change>>& features) {
  features.emplace_back("no_window", [](TinyOptions& o) {
    o.window = o.window_pattern = 0;
    o.window_rope_base = 0.0F;
  });
  features.emplace_back("window_default_pattern", [](TinyOptions& o) {
    o.layers = 7;
    o.window = 5;
    o.window_pattern = 0;
  });
  features.emplace_back("window_pattern", [](TinyOptions& o) {
    o.layers = 4;
    o.window = 4;
    o.window_pattern = 2;
  });
  features.emplace_back("window_layers", [](TinyOptions& o) {
    o.layers = 4;
    o.window = 4;
    o.window_pattern = 0;
    o.window_layers = {1, 0, 0, 1};
  });
  features.emplace_back("window_yarn", [](TinyOptions& o) {
    o.layers = 4;
    o.window = 7;
    o.window_pattern = 2;
    o.rope_scaling = RopeScaling::yarn;
    o.original_context = 16;
  });
}

void add_family_features(const std::string& family,
                         std::vector<std::pair<std::string, Change>>& features) {
  if (family == "llama" || family == "granite") {
    features.emplace_back("rope_llama3",
                          [](TinyOptions& o) { o.rope_scaling = RopeScaling::llama3; });
  }
  if (family == "phi3") {
    features.emplace_back("partial_rope", [](TinyOptions& o) { o.rope_dims = 12; });
    features.emplace_back("window_key", [](TinyOptions& o) { o.window = 4; });
  }
  if (family == "gemma3" || family == "olmo2") add_window_features(features);
  if (family == "granite") {
    features.emplace_back("no_scales", [](TinyOptions& o) {
      o.embedding_scale = o.residual_scale = o.attention_scale = o.logit_scale = 0.0F;
    });
    features.emplace_back("rope_off", [](TinyOptions& o) { o.rope_off = true; });
  }
  if (family == "smollm3") {
    features.emplace_back("nine_layers", [](TinyOptions& o) { o.layers = 9; });
  }
}

}  // namespace

std::vector<TinyCase> plain_cases() {
  std::vector<TinyCase> cases;
  for (const std::string& family : family_names())
    cases.push_back({family, plain(family)});
  return cases;
}

std::vector<TinyCase> feature_cases() {
  std::vector<TinyCase> cases;
  for (const std::string& family : family_names()) {
    auto features = common_features();
    add_optional_features(family_traits(family), features);
    add_family_features(family, features);
    for (const auto& [name, change] : features) {
      TinyOptions options = plain(family);
      change(options);
      cases.push_back({family + "_" + name, options});
    }
  }
  return cases;
}

std::vector<TinyCase> weight_type_cases() {
  const std::vector<std::pair<std::string, ggml_type>> types = {
      {"f16", GGML_TYPE_F16},   {"bf16", GGML_TYPE_BF16}, {"q8_0", GGML_TYPE_Q8_0},
      {"q4_0", GGML_TYPE_Q4_0}, {"q4_1", GGML_TYPE_Q4_1}, {"q5_0", GGML_TYPE_Q5_0},
      {"q4_k", GGML_TYPE_Q4_K}, {"q6_k", GGML_TYPE_Q6_K}};
  std::vector<TinyCase> cases;
  for (const std::string& family : family_names()) {
    for (const auto& [name, type] : types) {
      TinyOptions options = plain(family);
      options.weight_type = type;
      options.embd = 256;  // k-quants come in blocks of 256 values
      options.ffn = 256;
      if (type == GGML_TYPE_Q4_K) options.head_type = GGML_TYPE_Q6_K;
      cases.push_back({family + "_" + name, options});
    }
  }
  return cases;
}

std::vector<std::int32_t> random_tokens(int count, int vocabulary, std::uint32_t seed) {
  std::mt19937 engine(seed);
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < count; ++i) {
    tokens.push_back(static_cast<std::int32_t>(engine() % static_cast<std::uint32_t>(vocabulary)));
  }
  return tokens;
}

}  // namespace litestage::test
