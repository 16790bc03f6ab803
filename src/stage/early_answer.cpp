#include "stage/early_answer.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <numeric>

namespace litestage {

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

const Stage& early_answer_stage() {
  static const Stage STAGE = [] {
    Stage stage;
    stage.name = "early-answer";
    stage.output = OutputKind::choice;
    stage.choice_by = ChoiceBy::logits;
    return stage;
  }();
  return STAGE;
}

StageContext early_answer_context(const Program& program, const Conversation& conversation,
                                  const Question& question) {
  assert(program.early_answer && !question.options.empty());
  const TemplateValues values{.question = &question, .option = nullptr, .stages = {}};
  return {conversation.open(render_template(program.early_answer->prompt, values),
                            render_template(program.early_answer->begin, values)),
          ""};
}

}  // namespace litestage
