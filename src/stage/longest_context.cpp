#include "stage/longest_context.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stage/early_answer.h"
#include "stage/stage_runner.h"
#include "stage/template.h"

namespace litestage {
namespace {

/// Tokens around a branch's text where a later prompt quotes it: "(A) " and the line's end.
constexpr std::size_t BRANCH_MARKUP = 6;
constexpr std::size_t LETTER = 2;  // of a choice that is read from logits, with its blank

using LongestTexts = std::map<std::string, std::size_t, std::less<>>;  // by stage

/// The most tokens that a stage's prompt can quote of earlier stages' texts.
std::size_t quoted_tokens(const Stage& stage, const LongestTexts& longest) {
  std::size_t tokens = 0;
  const auto count = [&](std::string_view variable) {
    const auto quoted = longest.find(quoted_stage(variable));
    if (quoted != longest.end()) tokens += quoted->second;
    return std::string();
  };
  fill_template(stage.prompt, count);
  fill_template(stage.begin, count);
  return tokens;
}

/// Walks the stages of one question with empty texts, and counts what texts can add.
class LongestWalk {
 public:
  LongestWalk(const Program& program, const Conversation& start, const Question& question)
      : program_(program),
        question_(question),
        conversation_(start),
        held_(start.preamble().size()),
        widest_(held_) {
    values_.question = &question;
    for (const Stage& stage : program.stages)
      values_.stages.emplace_back(stage.name, "");
  }

  std::size_t run() {
    for (std::size_t i = 0; i < program_.stages.size(); ++i) {
      look_early(i == 0);
      add(program_.stages[i]);
    }
    return widest_;
  }

 private:
  void look_early(bool first) {
    if (!program_.early_answer || question_.options.empty()) return;
    if (first && !can_ask_first(program_)) return;
    StageContext asked = early_answer_context(program_, conversation_, question_, first);
    widest_ = std::max(widest_, written_ + asked.tokens.size());
    if (first) asked_first_ = std::move(asked.tokens);
  }

  void add(const Stage& stage) {
    const std::size_t text =
        writes_text(stage) ? static_cast<std::size_t>(stage.max_tokens) : std::size_t{0};
    const std::size_t quoted = quoted_tokens(stage, longest_);
    if (stage.for_each_option && !question_.options.empty()) {
      std::vector<std::vector<Token>> branches;
      for (const Option& option : question_.options) {
        values_.option = &option;
        branches.push_back(open(stage));
      }
      values_.option = nullptr;
      std::size_t own = unshared_look(branches.front());
      for (const std::vector<Token>& branch : branches)
        own += branch.size() - held_ + quoted + text;
      widest_ = std::max(widest_, written_ + held_ + own);
      longest_[stage.name] = question_.options.size() * (text + BRANCH_MARKUP);
      return;
    }
    std::vector<Token> opened = open(stage);
    held_ = opened.size();
    written_ += quoted + std::max(text, LETTER);
    widest_ = std::max(widest_, written_ + held_ + unshared_look(opened));
    longest_[stage.name] = std::max(text, LETTER);
    conversation_.close(prompt_, begin_, std::move(opened), {}, "");
  }

  /// What an early answer before the first stage read, and that stage does not go on from: it stays
  /// until the stage is done.
  std::size_t unshared_look(const std::vector<Token>& opened) {
    const std::vector<Token> asked = std::exchange(asked_first_, {});
    const auto shared = std::mismatch(asked.begin(), asked.end(), opened.begin(), opened.end());
    return static_cast<std::size_t>(asked.end() - shared.first);
  }

  /// The context of a stage or of a branch, which holds the conversation's tokens first.
  std::vector<Token> open(const Stage& stage) {
    prompt_ = render_template(stage.prompt, values_);
    begin_ = render_template(stage.begin, values_);
    std::vector<Token> opened = conversation_.open(prompt_, begin_);
    // A chat template that changes earlier turns may make them shorter.
    held_ = std::min(held_, opened.size());
    return opened;
  }

  const Program& program_;
  const Question& question_;
  Conversation conversation_;
  TemplateValues values_{};
  std::string prompt_, begin_;
  LongestTexts longest_;
  std::vector<Token> asked_first_;
  std::size_t held_ = 0;     // tokens of the conversation, all texts empty
  std::size_t written_ = 0;  // the most that texts and quotes add to it
  std::size_t widest_ = 0;
};

}  // namespace

std::size_t longest_context(const Program& program, const Conversation& start,
                            const Question& question) {
  return LongestWalk(program, start, question).run();
}

}  // namespace litestage
