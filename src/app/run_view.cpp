#include "app/run_view.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/binomial.h"
#include "base/statistics.h"

namespace litestage::app {
namespace {

/// Width of the column that names stages; their texts start behind it.
constexpr int LABEL_WIDTH = 12;

std::string indented(std::string_view text) {
  std::string result;
  for (const char c : text) {
    result += c;
    if (c == '\n') result.append(LABEL_WIDTH + 1, ' ');
  }
  return result;
}

}  // namespace

std::string ending_text(const StageRecord& record) {
  const std::string reason = to_string(record.stop_reason);
  return record.margin ? fmt::format("{}, leads by {:.2f}", reason, *record.margin) : reason;
}

std::string answer_text(const QuestionRecord& record) {
  return record.answer.empty() ? "none found" : record.answer;
}

AnswerVerdict verdict_of(const QuestionRecord& record, const Style& style) {
  if (record.interrupted) return {"(interrupted)"};
  if (record.question.gold.empty()) return {};
  if (is_correct(record.question, record.answer)) return {"✓ right", style.right};
  return {"✗ the right one is " + record.question.gold, style.wrong};
}

RunView::RunView(std::FILE* stream) : stream_(stream), style_(may_colour(stream)) {}

void RunView::put(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream_);
  std::fflush(stream_);
}

void RunView::show_question(const Question& question, const std::string& program, std::size_t index,
                            std::size_t count) {
  std::string head = count > 1 ? fmt::format("Question {} of {}", index, count)
                               : fmt::format("Question {}", index);
  if (!question.id.empty()) head += " · " + question.id;
  put(fmt::format("{}{}{} {}· {}{}\n{}\n", style_.heading, head, style_.off, style_.quiet, program,
                  style_.off, question.text));
  for (const Option& option : question.options)
    put(fmt::format("  ({}) {}\n", option.letter, option.text));
}

void RunView::open_line(const std::string& label) {
  put(fmt::format("{}{:>{}}{} ", style_.stage, label, LABEL_WIDTH, style_.off));
}

void RunView::on_stage_begin(const std::string& stage, const std::vector<std::string>& options) {
  options_ = options;
  blank_ = true;
  open_line(options.empty() ? stage : stage + " " + options.front());
}

void RunView::on_text(const std::string& /*stage*/, int branch, std::string_view piece) {
  if (branch != 0) return;  // shown when the stage ends
  if (blank_) {             // the text starts with its first visible character
    const std::size_t first = piece.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return;
    piece.remove_prefix(first);
    blank_ = false;
  }
  put(indented(piece));
}

void RunView::on_stage_end(const std::vector<StageRecord>& records) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i > 0) {
      open_line(records[i].name + " " + records[i].option);
      put(indented(records[i].text));
    }
    put(fmt::format(" {}[{}]{}\n", style_.quiet, ending_text(records[i]), style_.off));
  }
}

void RunView::show_arm(const std::string& name) {
  put(fmt::format("{}{:>{}}{}\n", style_.heading, name, LABEL_WIDTH, style_.off));
}

void RunView::show_answer(const QuestionRecord& record) {
  open_line("result");
  const AnswerVerdict verdict = verdict_of(record, style_);
  put(fmt::format("{}{}{}  {}{}{}  {}{:.2f} s{}\n\n", style_.heading, answer_text(record),
                  style_.off, verdict.style, verdict.text, verdict.text.empty() ? "" : style_.off,
                  style_.quiet, record.total_ms / 1000, style_.off));
}

RunSummary::StageSum& RunSummary::sum_of(const std::string& program, const std::string& name) {
  const auto found = std::find_if(stages_.begin(), stages_.end(), [&](const StageSum& sum) {
    return sum.program == program && sum.name == name;
  });
  if (found != stages_.end()) return *found;
  stages_.emplace_back();
  stages_.back().program = program;
  stages_.back().name = name;
  return stages_.back();
}

void RunSummary::add(const QuestionRecord& record, const std::string& program) {
  if (record.interrupted) return;
  ++questions_;
  total_ms_ += record.total_ms;
  if (!record.question.gold.empty()) {
    ++judged_;
    right_ += is_correct(record.question, record.answer) ? 1 : 0;
  }
  std::set<std::string> met;  // a stage has several texts, and an early answer may be asked twice
  for (const StageRecord& stage : record.stages) {
    StageSum& sum = sum_of(program, stage.name);
    if (met.insert(stage.name).second) ++sum.questions;
    sum.texts += 1;
    sum.prompt += stage.prompt_tokens;
    sum.reused += stage.reused_tokens;
    sum.tokens += stage.tokens;
    sum.prefill_ms += stage.prefill_ms;
    sum.decode_ms += stage.decode_ms;
  }
}

void RunSummary::print(std::FILE* stream, const std::string& title) const {
  if (questions_ == 0) return;
  const Style style(may_colour(stream));
  if (!title.empty()) fmt::print(stream, "{}{}{}\n", style.heading, title, style.off);
  if (judged_ > 0) {
    const double share = static_cast<double>(right_) / judged_;
    const Interval interval = wilson_95(right_, judged_);
    fmt::print(stream, "{}Accuracy {} of {} = {:.1f} % (95 % interval {:.1f} to {:.1f}){}\n",
               style.heading, right_, judged_, 100 * share, 100 * interval.low, 100 * interval.high,
               style.off);
  }
  fmt::print(stream, "{} questions, {:.2f} s each on average\n\n", questions_,
             total_ms_ / 1000 / questions_);
  fmt::print(stream, "{:<24} {:<12} {:>6} {:>8} {:>8} {:>8} {:>11} {:>11} {:>8}\n", "program",
             "stage", "texts", "prompt", "reused", "written", "prefill ms", "decode ms",
             "ms/token");
  for (const StageSum& sum : stages_) {
    const double n = sum.questions;
    const std::string pace =
        sum.tokens > 0 ? fmt::format("{:.1f}", sum.decode_ms / sum.tokens) : "-";
    fmt::print(stream,
               "{:<24} {:<12} {:>6.1f} {:>8.1f} {:>8.1f} {:>8.1f} {:>11.1f} {:>11.1f} {:>8}\n",
               sum.program, sum.name, sum.texts / n, sum.prompt / n, sum.reused / n, sum.tokens / n,
               sum.prefill_ms / n, sum.decode_ms / n, pace);
  }
  fmt::print(stream,
             "Tokens and milliseconds are means a question; texts written at the same time share "
             "their time.\n");
}

void ArmComparison::add(const QuestionRecord& full, const QuestionRecord& plan) {
  if (full.interrupted || plan.interrupted) return;
  full_ms_.push_back(full.total_ms);
  plan_ms_.push_back(plan.total_ms);
  if (full.question.gold.empty()) return;
  const bool full_right = is_correct(full.question, full.answer);
  const bool plan_right = is_correct(plan.question, plan.answer);
  ++judged_;
  full_right_ += full_right ? 1 : 0;
  plan_right_ += plan_right ? 1 : 0;
  lost_ += full_right && !plan_right ? 1 : 0;
  gained_ += plan_right && !full_right ? 1 : 0;
}

void ArmComparison::print(std::FILE* stream) const {
  if (full_ms_.empty()) return;
  const Style style(may_colour(stream));
  const Ratio speedup = paired_ratio(full_ms_, plan_ms_);
  fmt::print(stream, "\n{}full {:.2f} s, plan {:.2f} s a question: {:.2f} times as fast{}",
             style.heading, mean(full_ms_) / 1000, mean(plan_ms_) / 1000, speedup.value, style.off);
  if (full_ms_.size() > 1)
    fmt::print(stream, " (95 % interval {:.2f} to {:.2f})", speedup.low, speedup.high);
  fmt::print(stream, "\n");
  if (judged_ > 0) {
    fmt::print(stream, "right: full {}, plan {} of {}; {} lost, {} gained\n", full_right_,
               plan_right_, judged_, lost_, gained_);
  }
}

}  // namespace litestage::app
