#include "stage/early_answer.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <functional>
#include <numeric>
#include <utility>

namespace litestage {

double EarlyChoice::margin() const {
  std::vector<double> sorted = probabilities;
  std::ranges::sort(sorted, std::greater<>());
  if (sorted.empty()) return 0;
  return sorted.size() == 1 ? sorted[0] : sorted[0] - sorted[1];
}

std::vector<Option> EarlyChoice::likeliest(const Question& question, int most) const {
  std::vector<std::size_t> order(question.options.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(
      order, [this](std::size_t a, std::size_t b) { return probabilities[a] > probabilities[b]; });
  order.resize(std::min(order.size(), static_cast<std::size_t>(std::max(1, most))));
  std::ranges::sort(order);
  std::vector<Option> kept;
  for (const std::size_t index : order)
    kept.push_back(question.options[index]);
  return kept;
}

EarlyChoice choose_early(QuestionRun& run, const Program& program, const Conversation& conversation,
                         const StageSettings& settings) {
  assert(program.early_answer && !run.question.options.empty());
  Stage asked;
  asked.name = "early-answer";
  asked.output = OutputKind::choice;
  asked.choice_by = ChoiceBy::logits;
  const TemplateValues values{.question = &run.question, .option = nullptr, .stages = {}};
  const StageContext context{
      conversation.open(render_template(program.early_answer->prompt, values),
                        render_template(program.early_answer->begin, values)),
      ""};
  StageOutcome outcome = run_stage(run, asked, settings, {context});
  EarlyChoice choice{std::move(outcome.records), {}, outcome.interrupted};
  if (!choice.interrupted) choice.probabilities = std::move(outcome.option_probabilities.at(0));
  return choice;
}

}  // namespace litestage
