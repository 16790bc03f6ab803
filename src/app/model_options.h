#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "litestage/decoder.h"
#include "litestage/decoder_pool.h"
#include "litestage/model.h"

namespace CLI {
class App;
}

namespace litestage::app {

/// Values of the flags about which model to load and how; every verb that runs a model has them.
struct ModelArguments {
  std::string model = "qwen2.5-coder-1.5b";  ///< name in the catalogue, or path
  std::string hf_repo;                       ///< USER/REPO[:QUANT]
  bool offline = false;
  std::string head = "auto";  ///< "auto", "full", or the path of a preview
  ModelOptions options;
};

/// Declares -m, -hf, --offline, -ngl, --device, --no-repack and --check-tensors.
void add_model_options(CLI::App& verb, ModelArguments& arguments);

/// Whether a verb lets its user choose the context's size, of one text or for several at a time,
/// or knows what it needs.
enum class ContextOption { chosen, shared, computed };

/// Declares -t, -ub, -ctk, -ctv, -fa and, unless computed, -c.
void add_decoder_options(CLI::App& verb, DecoderOptions& options, ContextOption context);

/// The model file the flags name; downloads it when it has to be and may be.
/// @param stop ends a download when it is set; null: the program's end does
/// @throws UserError when there is none, or the download was stopped
std::filesystem::path find_model(const ModelArguments& arguments,
                                 const std::atomic<bool>* stop = nullptr);

/// The head preview the flags name: by default the one beside the model; null when there is none.
/// @throws UserError when it cannot be used
std::shared_ptr<const HeadPreview> find_head_preview(const Model& model,
                                                     const ModelArguments& arguments);

/// A pool for questions that are answered several at a time. Hardly a question needs all it may
/// need, so there is half a decoder's context for each, at most what the model was trained for;
/// what finds no room is answered by itself.
/// @param options of a decoder for one question
/// @param parallel questions at the same time, at least 1
std::unique_ptr<DecoderPool> make_pool(std::shared_ptr<const Model> model, DecoderOptions options,
                                       std::shared_ptr<const HeadPreview> preview, int parallel);

/// Flags that decide what a model answers and how long that takes, beside its threads, as one text:
/// what was kept under other ones is not the same. The preview of the head is not among them: what
/// a memo keeps was written with confidences recorded, for which the full head is used, and times
/// are named with the head they were measured with.
std::string engine_text(const ModelOptions& model, const DecoderOptions& decoder);

/// A decoder with that preview.
/// @throws UserError when the preview cannot be used
Decoder make_decoder(std::shared_ptr<const Model> model, const DecoderOptions& options,
                     const ModelArguments& arguments);

}  // namespace litestage::app
