#include "app/model_options.h"

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "litestage/error.h"
#include "litestage/model_store.h"

namespace litestage::app {
namespace {

const std::map<std::string, KvType> KV_TYPES = {
    {"f16", KvType::f16}, {"q8_0", KvType::q8_0}, {"f32", KvType::f32}};
const std::map<std::string, bool> SWITCH = {{"on", true}, {"off", false}};

}  // namespace

void add_model_options(CLI::App& verb, ModelArguments& arguments) {
  const std::string group = "Model";
  auto* model = verb.add_option("-m,--model", arguments.model,
                                "Model: a name that 'litestage models' lists, or a GGUF file")
                    ->envname("LITESTAGE_MODEL")
                    ->default_str(arguments.model)
                    ->group(group);
  verb.add_option("--hf-repo", arguments.hf_repo,
                  "Model from the model hub: USER/REPO or USER/REPO:QUANT (also -hf)")
      ->excludes(model)
      ->group(group);
  verb.add_flag("--offline", arguments.offline, "Use only what lies on this machine")
      ->envname("LITESTAGE_OFFLINE")
      ->group(group);
  verb.add_option("--gpu-layers", arguments.options.gpu_layers,
                  "Last layers placed on the device (also -ngl)")
      ->envname("LITESTAGE_GPU_LAYERS")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group(group);
  verb.add_option("--device", arguments.options.device,
                  "Device for --gpu-layers, as 'litestage doctor' names it; the first GPU unless given")
      ->envname("LITESTAGE_DEVICE")
      ->group(group);
  verb.add_flag("!--no-repack", arguments.options.repack,
                "Keep the weights as they lie in the file, do not lay them out for this CPU")
      ->group(group);
  verb.add_flag("--check-tensors", arguments.options.check_tensors,
                "Look for NaN and infinity in all weights while loading")
      ->group(group);
}

void add_decoder_options(CLI::App& verb, DecoderOptions& options, ContextOption context) {
  const std::string group = "Decoder";
  verb.add_option("-t,--threads", options.threads, "Threads; 0: one a physical core")
      ->envname("LITESTAGE_THREADS")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->group(group);
  if (context == ContextOption::chosen) {
    verb.add_option("-c,--ctx-size", options.context, "Tokens the KV cache has room for")
        ->envname("LITESTAGE_CTX_SIZE")
        ->check(CLI::PositiveNumber)
        ->capture_default_str()
        ->group(group);
  }
  verb.add_option("--ubatch-size", options.ubatch, "Tokens computed at once at most (also -ub)")
      ->envname("LITESTAGE_UBATCH")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(group);
  auto* key_type = verb.add_option("--cache-type-k", "Type of the KV cache: f16, q8_0 or f32 (also -ctk)");
  auto* value_type = verb.add_option("--cache-type-v", "Must equal --cache-type-k (also -ctv)");
  for (auto* option : {key_type, value_type}) {
    option->type_name("TYPE")->check(CLI::IsMember({"f16", "q8_0", "f32"}))->group(group);
  }
  verb.add_option("--flash-attn", options.flash_attention, "Flash attention: on or off (also -fa)")
      ->envname("LITESTAGE_FLASH_ATTN")
      ->transform(CLI::CheckedTransformer(SWITCH))
      ->type_name("on|off")
      ->default_str(options.flash_attention ? "on" : "off")
      ->group(group);
  verb.parse_complete_callback([&options, key_type, value_type] {
    if (key_type->empty() && value_type->empty()) return;
    const auto name_of = [](const CLI::Option* option) {
      return option->empty() ? std::string("f16") : option->as<std::string>();
    };
    if (name_of(key_type) != name_of(value_type)) {
      throw UserError("--cache-type-v",
                      "'" + name_of(value_type) + "' differs from --cache-type-k '" +
                          name_of(key_type) + "'",
                      "give both the same type");
    }
    options.kv_type = KV_TYPES.at(name_of(key_type));
  });
}

std::filesystem::path find_model(const ModelArguments& arguments) {
  if (arguments.hf_repo.empty()) return resolve_model(arguments.model);
  const std::string reference = "hf:" + arguments.hf_repo;
  if (arguments.offline) return resolve_model(reference);
  return pull_model(reference).path;
}

}  // namespace litestage::app
