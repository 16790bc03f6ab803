#include "stage/early_answer.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <numeric>
#include <string>

#include "stage/template.h"

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

bool can_ask_first(const Program& program) {
  return program.early_answer && !question_part(program.stages.front().prompt).empty();
}

StageContext early_answer_context(const Program& program, const Conversation& conversation,
                                  const Question& question, bool first) {
  assert(program.early_answer && !question.options.empty());
  assert(!first || can_ask_first(program));
  const TemplateValues values{.question = &question, .option = nullptr, .stages = {}};
  std::string prompt;
  if (first) {
    prompt = render_template(question_part(program.stages.front().prompt), values);
    if (program.format == ProgramFormat::chat) prompt += "\n\n";
  }
  prompt += render_template(program.early_answer->prompt, values);
  return {conversation.open(prompt, render_template(program.early_answer->begin, values)), ""};
}

}  // namespace litestage
