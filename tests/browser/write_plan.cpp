// Writes a plan by hand for a program on a real model: some sublayers left out, and texts that end
// early.

#include <filesystem>
#include <iostream>

#include "litestage/error.h"
#include "litestage/model.h"
#include "litestage/plan.h"
#include "litestage/program.h"

int main(int argc, char** argv) {
  using namespace litestage;
  if (argc != 4) {
    std::cerr << "usage: litestage_write_plan MODEL PROGRAM PLAN\n";
    return 2;
  }
  try {
    const auto model = Model::load(argv[1]);
    const Program program = load_program(argv[2]);
    StageSettings settings =
        StageSettings::with_mask(SublayerMask::parse("f8-9,a12", model->layer_count()));
    settings.exit.window = 4;
    settings.exit.threshold = 100;  // above any logit of a small model: texts end with the window
    Plan plan;
    plan.model_name = std::filesystem::path(argv[1]).filename().string();
    plan.model_hash = model_hash(*model);
    plan.layers = model->layer_count();
    plan.program = argv[2];
    plan.program_hash = program.hash;
    for (const Stage& stage : program.stages)
      plan.stages.emplace_back(stage.name, settings);
    save_plan(plan, argv[3]);
  } catch (const UserError& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
