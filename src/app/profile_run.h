#pragma once

#include <string>
#include <vector>

#include "app/model_options.h"
#include "litestage/dataset.h"
#include "litestage/decoder.h"
#include "offline/profile.h"

namespace litestage::app {

/// What `litestage profile` was asked for.
struct ProfileSettings {
  ModelArguments model;
  DecoderOptions decoder;
  std::string program;
  std::vector<std::string> questions;  ///< question sets; "-": standard input
  DatasetOptions dataset;
  ProfileOptions profile;
  int timing_seconds = 30;  ///< a stage
  std::string output = "importance.json";
  std::string html;  ///< page of heat maps; empty: none
  std::string show;  ///< importance to draw without running a model; empty: none
  bool json = false;
  bool quiet = false;  ///< show nothing on stdout: another verb goes on with the result
};

/// Measures, or reads, an importance and shows it; returns the exit code.
int run_profile(const ProfileSettings& settings);

}  // namespace litestage::app
