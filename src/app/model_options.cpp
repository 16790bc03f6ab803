#include "app/model_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/choice_option.h"
#include "app/progress.h"
#include "litestage/error.h"
#include "litestage/head_preview.h"
#include "litestage/model_store.h"
#include "litestage/plan.h"

namespace litestage::app {
namespace {

const std::vector<std::pair<std::string, KvType>> KV_TYPES = {
    {"f16", KvType::f16}, {"q8_0", KvType::q8_0}, {"f32", KvType::f32}};
const std::vector<std::pair<std::string, FlashAttention>> FLASH = {
    {"auto", FlashAttention::automatic}, {"on", FlashAttention::on}, {"off", FlashAttention::off}};

}  // namespace

void add_model_options(CLI::App& verb, ModelArguments& arguments) {
  const std::string group = "Model";
  verb.add_option("-m,--model", arguments.model,
                  "Model: a name that 'litestage models' lists, or a GGUF file")
      ->envname("LITESTAGE_MODEL")
      ->type_name("NAME|PATH")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--hf-repo", arguments.hf_repo,
                  "Model from the model hub in place of --model (also -hf)")
      ->type_name("USER/REPO[:QUANT]")
      ->group(group);
  verb.add_flag("--offline", arguments.offline, "Use only what lies on this machine")
      ->envname("LITESTAGE_OFFLINE")
      ->group(group);
  verb.add_option("--gpu-layers", arguments.options.gpu_layers,
                  "Last layers placed on the device (also -ngl)")
      ->envname("LITESTAGE_GPU_LAYERS")
      ->check(within(0, MOST_COUNTED))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option(
          "--device", arguments.options.device,
          "Device for --gpu-layers, as 'litestage doctor' names it; the first GPU unless given")
      ->envname("LITESTAGE_DEVICE")
      ->type_name("NAME")
      ->group(group);
  verb.add_option(
          "--head", arguments.head,
          "Preview of the head for greedy decoding, as 'litestage head' makes it; auto: the "
          "one beside the model ('litestage tune' puts one there where it is worth having); full: "
          "none")
      ->envname("LITESTAGE_HEAD")
      ->type_name("auto|full|PATH")
      ->capture_default_str()
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
      ->check(within(0, 1024))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  if (context != ContextOption::computed) {
    verb.add_option("-c,--ctx-size", options.context,
                    context == ContextOption::chosen
                        ? "Tokens the KV cache has room for; 0: 4096, at most what the model was "
                          "trained for"
                        : "Tokens the KV cache has room for, all requests at a time together; 0: "
                          "4096 for each, at most what the model was trained for")
        ->envname("LITESTAGE_CTX_SIZE")
        ->check(within(0, MOST_COUNTED))
        ->type_name("N")
        ->capture_default_str()
        ->group(group);
  }
  verb.add_option("--ubatch-size", options.ubatch, "Tokens computed at once at most (also -ub)")
      ->envname("LITESTAGE_UBATCH")
      ->check(within(1, MOST_COUNTED))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  // K and V share one type here, but both names are known from llama.cpp.
  const auto types = std::make_shared<std::pair<KvType, KvType>>(options.kv_type, options.kv_type);
  add_choice(verb, "--cache-type-k", types->first, KV_TYPES, "Type of the KV cache (also -ctk)")
      ->group(group);
  add_choice(verb, "--cache-type-v", types->second, KV_TYPES,
             "The same, must equal --cache-type-k (also -ctv)")
      ->group(group);
  add_choice(verb, "--flash-attn", options.flash_attention, FLASH,
             "Flash attention; auto: where it is faster (also -fa)")
      ->envname("LITESTAGE_FLASH_ATTN")
      ->group(group);
  verb.parse_complete_callback([&options, types] {
    if (types->first != types->second) {
      throw UserError("--cache-type-v", "it must be the same as --cache-type-k",
                      "give both flags the same type");
    }
    options.kv_type = types->first;
  });
}

std::shared_ptr<const HeadPreview> find_head_preview(const Model& model,
                                                     const ModelArguments& arguments) {
  if (arguments.head == "full") return nullptr;
  const bool beside = arguments.head == "auto";
  const std::filesystem::path path =
      beside ? head_preview_path(model.path()) : std::filesystem::path(arguments.head);
  const bool on_device = arguments.options.gpu_layers > model.layer_count();
  if (beside && (on_device || !std::filesystem::exists(path))) return nullptr;
  return HeadPreview::load(path, model, model_hash(model));
}

std::unique_ptr<DecoderPool> make_pool(std::shared_ptr<const Model> model, DecoderOptions options,
                                       std::shared_ptr<const HeadPreview> preview, int parallel) {
  options.context = std::min(model->trained_context(), options.context / 2 * std::max(2, parallel));
  return std::make_unique<DecoderPool>(std::move(model), options, std::move(preview));
}

std::string engine_text(const ModelOptions& model, const DecoderOptions& decoder) {
  return fmt::format("cache {}; flash-attn {}; ubatch {}; gpu-layers {}; repack {}",
                     static_cast<int>(decoder.kv_type), static_cast<int>(decoder.flash_attention),
                     decoder.ubatch, model.gpu_layers, model.repack);
}

Decoder make_decoder(std::shared_ptr<const Model> model, const DecoderOptions& options,
                     const ModelArguments& arguments) {
  std::shared_ptr<const HeadPreview> preview = find_head_preview(*model, arguments);
  Decoder decoder(std::move(model), options);
  decoder.set_head_preview(std::move(preview));
  return decoder;
}

std::filesystem::path find_model(const ModelArguments& arguments, const std::atomic<bool>* stop) {
  if (arguments.hf_repo.empty()) return resolve_model(arguments.model);
  const std::string reference = "hf:" + arguments.hf_repo;
  if (arguments.offline) return resolve_model(reference);
  ProgressBar bar;
  PullOptions options;
  options.progress = [&bar, stop](const PullProgress& progress) {
    bar.show(progress.source, progress.done, progress.total);
    return stop == nullptr || !stop->load();
  };
  PullResult pulled = pull_model(reference, options);
  if (pulled.interrupted)
    throw UserError(reference, "its download was stopped", "the next one goes on from there");
  return std::move(pulled.path);
}

}  // namespace litestage::app
