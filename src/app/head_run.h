#pragma once

#include <string>
#include <vector>

#include "app/head_trial.h"
#include "app/model_options.h"
#include "litestage/dataset.h"
#include "litestage/decoder.h"

namespace litestage::app {

/// What `litestage head` was asked for.
struct HeadSettings {
  ModelArguments model;
  DecoderOptions decoder;
  std::string program;
  std::vector<std::string> questions;     ///< sets
  DatasetOptions dataset;                 ///< limit: questions that are answered to learn from
  long check_tokens = HEAD_CHECK_TOKENS;  ///< read to check the preview on; 0: no check
  std::string output;                     ///< empty: beside the model
  bool json = false;
};

/// Learns a preview of the model's head, checks it and writes it; returns the exit code.
int run_head(const HeadSettings& settings);

}  // namespace litestage::app
