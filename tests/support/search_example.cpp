#include "support/search_example.h"

#include <limits>

#include "support/planted_world.h"

namespace litestage::test {

SearchFile example_search() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  PlantedWorld world({{"recall",
                       {{120, 1, 0, 0, 0},
                        {118, 1, 0, 0, nan},
                        {112, 1, 0.03, 0.04, nan},
                        {100, 1.05, 0, 0, nan},
                        {90, 1, 0.5, 0, nan}}},
                      {"analyze",
                       {{400, 1, 0, 0, 0},
                        {372, 1, 0, 0, 0.04},
                        {341, 1.1, 0, 0.08, 0.11},
                        {310, 1.35, 0, 0, 0.23},
                        {290, 1.3, 0.08, 0, 0.31},
                        {250, 1.2, 0.7, 0.1, 0.52}}},
                      {"answer", {{40, 1, 0, 0, 0}}}},
                     60, 0.6);
  SearchFile file;
  file.options.method = SearchMethod::paper;
  file.options.max_loss = 3;
  file.stages = world.candidates();
  file.stages[1].candidates[2].label = "2 sublayers <b>&\"";
  file.stages[1].candidates[1].settings.exit.threshold = 12.5;
  file.result = budget_search(file.stages, world, file.options);
  const MeasuredAccuracy& accuracy = file.result.accuracy;
  EarlyCandidate none{
      {}, accuracy.questions, accuracy.plan_correct, accuracy.lost, accuracy.gained, 0, 481.5};
  EarlyCandidate sure{{0.7, 2},      accuracy.questions, accuracy.plan_correct,
                      accuracy.lost, accuracy.gained,    accuracy.questions / 3,
                      300.25};
  file.early = {{none, sure}, 1};
  file.plan.model_name = "tiny <model>";
  file.plan.model_hash = std::string(64, 'a');
  file.plan.layers = 24;
  file.plan.program = "recall-analyze-answer";
  file.plan.program_hash = std::string(64, 'b');
  file.plan.stages = file.settings(file.result.chosen);
  file.plan.accuracy = accuracy;
  file.plan.origin.method = "paper";
  file.plan.origin.max_loss = 3;
  file.plan.origin.machine = "a processor & its features";
  file.plan.origin.threads = 2;
  file.plan.origin.question_set = "questions.jsonl";
  file.plan.origin.created = "2026-01-31T12:00:00Z";
  return file;
}

}  // namespace litestage::test
