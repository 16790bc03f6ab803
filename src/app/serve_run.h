#pragma once

#include <string>
#include <vector>

#include "app/model_options.h"
#include "litestage/decoder.h"
#include "serve/access.h"
#include "serve/engine.h"
#include "serve/http_server.h"

namespace litestage::app {

/// What `litestage serve` was asked for.
struct ServeSettings {
  ModelArguments model;
  bool model_named = false;           ///< by a flag or the environment; else a plan says which
  DecoderOptions decoder;             ///< context 0: one of usual size for each request at a time
  std::string alias;                  ///< name of the bare model; empty: as it is called
  std::vector<std::string> programs;  ///< names or paths; empty: all shipped ones
  std::vector<std::string> plans;     ///< paths
  serve::HttpOptions http;
  serve::EngineOptions engine;
  std::string api_key;
  std::vector<std::string> cors_origins;
  int max_tokens = 4096;   ///< of one answer
  int grace_seconds = 10;  ///< for answers at hand when the server is to end
};

/// Serves until SIGINT or SIGTERM; returns the exit code.
int serve_model(const ServeSettings& settings);

/// What a model is called where nobody says: a file's name without .gguf, or the name itself, whose
/// dots are part of it.
std::string model_file_name(const std::string& model);

}  // namespace litestage::app
