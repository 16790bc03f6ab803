#include "stage/longest_context.h"

#include <algorithm>

namespace litestage {

std::size_t longest_context(const Program& program, const Conversation& start,
                            const Tokenizer& tokenizer, const Question& question) {
  const auto branches = std::max<std::size_t>(1, question.options.size());
  TemplateValues values{.question = &question, .option = nullptr, .stages = {}};
  for (const Stage& stage : program.stages)
    values.stages.emplace_back(stage.name, "");
  std::size_t fixed = start.preamble().size();
  std::size_t written = 0;
  std::size_t widest = 0;
  for (const Stage& stage : program.stages) {
    if (stage.for_each_option && !question.options.empty())
      values.option = &question.options.front();
    const std::string prompt =
        render_template(stage.prompt, values) + render_template(stage.begin, values);
    const std::size_t tokens = tokenizer.encode(prompt, false, false).size();
    values.option = nullptr;
    const std::size_t own = (tokens + static_cast<std::size_t>(stage.max_tokens)) *
                            (stage.for_each_option ? branches : 1);
    widest = std::max(widest, fixed + written + own);
    // A branch's text is quoted by a later prompt: its tokens count once more, its prompt does not.
    fixed += stage.for_each_option ? 0 : tokens;
    written += static_cast<std::size_t>(stage.max_tokens) * (stage.for_each_option ? branches : 1);
  }
  return widest;
}

}  // namespace litestage
