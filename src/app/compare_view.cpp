#include "app/compare_view.h"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "app/run_view.h"
#include "app/two_columns.h"
#include "base/text_file.h"
#include "base/utf8.h"

namespace litestage::app {
namespace {

std::string stage_title(const std::string& name, const std::string& option) {
  return option.empty() ? name : name + " " + option;
}

/// The same stage of two records, or the same branch of it; null where one of them has none.
struct StagePair {
  const StageRecord* full = nullptr;
  const StageRecord* plan = nullptr;

  const StageRecord& any() const { return full != nullptr ? *full : *plan; }
};

/// Both records follow the program, and the full model runs all of its stages: what it lacks is an
/// early answer, which comes before what is behind it there.
std::vector<StagePair> stage_pairs(std::span<const StageRecord> full,
                                   std::span<const StageRecord> plan) {
  std::vector<StagePair> pairs;
  while (!full.empty() || !plan.empty()) {
    const auto is_next_of_plan = [&](const StageRecord& stage) {
      return stage.name == plan.front().name && stage.option == plan.front().option;
    };
    const bool plan_alone =
        full.empty() || (!plan.empty() && std::ranges::none_of(full, is_next_of_plan));
    const bool full_alone = !plan_alone && (plan.empty() || !is_next_of_plan(full.front()));
    StagePair& pair = pairs.emplace_back();
    if (!plan_alone) {
      pair.full = &full.front();
      full = full.subspan(1);
    }
    if (!full_alone) {
      pair.plan = &plan.front();
      plan = plan.subspan(1);
    }
  }
  return pairs;
}

void add_stage(std::vector<ColumnPart>& column, const StagePair& pair, const StageRecord* stage,
               const Style& style) {
  column.push_back({stage_title(pair.any().name, pair.any().option), style.stage});
  if (stage == nullptr) {
    column.push_back({"[not run]", style.quiet});
    return;
  }
  const std::string text(trimmed(stage->text));
  if (!text.empty()) column.push_back({text});
  column.push_back(
      {fmt::format("[{}, {} token{}, {:.0f} ms]", ending_text(*stage), stage->tokens,
                   stage->tokens == 1 ? "" : "s", stage->prefill_ms + stage->decode_ms),
       style.quiet});
}

void add_result(std::vector<ColumnPart>& column, const QuestionRecord& record, const Style& style) {
  const AnswerVerdict verdict = verdict_of(record, style);
  column.push_back({fmt::format("{}  {}{}{:.2f} s", answer_text(record), verdict.text,
                                verdict.text.empty() ? "" : "  ", record.total_ms / 1000),
                    verdict.style});
}

/// Adds the lines of two columns that begin at the same height.
void add_lines(std::vector<std::string>& lines, const std::vector<ColumnPart>& left,
               const std::vector<ColumnPart>& right, std::size_t width, const Style& style) {
  for (std::string& line : two_columns(left, right, width, style.off))
    lines.push_back(std::move(line));
}

/// What a question took, over its stages.
struct Effort {
  explicit Effort(const QuestionRecord& record) : total_ms(record.total_ms) {
    for (const StageRecord& stage : record.stages) {
      reading_ms += stage.prefill_ms;
      writing_ms += stage.decode_ms;
      tokens += stage.tokens;
    }
  }

  double reading_ms = 0;
  double writing_ms = 0;
  double tokens = 0;
  double total_ms = 0;
};

std::string effort_row(const char* name, double full, double plan) {
  // Less than one token or millisecond is too little to divide by.
  const std::string ratio = plan >= 1 ? fmt::format("{:.2f}", full / plan) : "-";
  return fmt::format("{:>12} {:>9.0f} {:>9.0f} {:>10}\n", name, full, plan, ratio);
}

std::string right_row(const QuestionRecord& full, const QuestionRecord& plan, const Style& style) {
  const auto cell = [&](const QuestionRecord& record) {
    const bool right = is_correct(record.question, record.answer);
    return fmt::format("{}{:>9}{}", right ? style.right : style.wrong, right ? "right" : "wrong",
                       style.off);
  };
  return fmt::format("{:>12} {} {}\n", "answer", cell(full), cell(plan));
}

}  // namespace

std::vector<std::string> records_beside(const QuestionRecord& full, const QuestionRecord& plan,
                                        std::size_t width, const Style& style) {
  std::vector<std::string> lines;
  add_lines(lines, {{"full", style.heading}}, {{"plan", style.heading}}, width, style);
  for (const StagePair& pair : stage_pairs(full.stages, plan.stages)) {
    std::vector<ColumnPart> left;
    std::vector<ColumnPart> right;
    add_stage(left, pair, pair.full, style);
    add_stage(right, pair, pair.plan, style);
    add_lines(lines, left, right, width, style);
  }
  std::vector<ColumnPart> left = {{"result", style.stage}};
  std::vector<ColumnPart> right = left;
  add_result(left, full, style);
  add_result(right, plan, style);
  add_lines(lines, left, right, width, style);
  return lines;
}

std::string compared_table(const QuestionRecord& full, const QuestionRecord& plan,
                           const Style& style) {
  const Effort of_full(full);
  const Effort of_plan(plan);
  std::string table = fmt::format("{}{:>12} {:>9} {:>9} {:>10}{}\n", style.quiet, "", "full",
                                  "plan", "full/plan", style.off);
  table += effort_row("reading ms", of_full.reading_ms, of_plan.reading_ms);
  table += effort_row("writing ms", of_full.writing_ms, of_plan.writing_ms);
  table += effort_row("tokens", of_full.tokens, of_plan.tokens);
  table += effort_row("total ms", of_full.total_ms, of_plan.total_ms);
  if (!full.question.gold.empty()) table += right_row(full, plan, style);
  return table;
}

bool fits_two_columns(std::FILE* stream) {
  constexpr int LEAST_COLUMNS = 100;
  return can_redraw(stream) && terminal_width(stream) >= LEAST_COLUMNS;
}

CompareView::CompareView(std::FILE* stream) : stream_(stream), style_(may_colour(stream)) {}

CompareView::~CompareView() {
  wipe();
}

void CompareView::begin_arm(const std::string& name) {
  arm_ = name;
  stage_.clear();
  text_.clear();
  draw();
}

void CompareView::on_stage_begin(const std::string& stage,
                                 const std::vector<std::string>& options) {
  stage_ = stage_title(stage, options.empty() ? "" : options.front());
  text_.clear();
  draw();
}

void CompareView::on_text(const std::string& /*stage*/, int branch, std::string_view piece) {
  if (branch != 0) return;
  text_ += piece;
  draw();
}

void CompareView::show(const QuestionRecord& full, const QuestionRecord& plan) {
  wipe();
  // It may have been made narrower since. The last column stays free: some terminals go to the next
  // line when it is filled.
  constexpr int LEAST_WIDTH = 30;
  const auto width = static_cast<std::size_t>(std::max(terminal_width(stream_) - 1, LEAST_WIDTH));
  for (const std::string& line : records_beside(full, plan, width, style_))
    fmt::print(stream_, "{}\n", line);
  fmt::print(stream_, "\n");
  std::fflush(stream_);
}

void CompareView::draw() {
  const std::string label = stage_.empty() ? arm_ : arm_ + " · " + stage_;
  const std::string text = displayable(text_);
  const auto width = static_cast<std::size_t>(terminal_width(stream_) - 1);
  const std::size_t room = width - std::min(width, display_width(label) + 1);
  fmt::print(stream_, "\r{}{}{} {}\033[K", style_.stage, label, style_.off,
             last_columns(text, room));
  std::fflush(stream_);
  drawn_ = true;
}

void CompareView::wipe() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stream_);
  std::fflush(stream_);
  drawn_ = false;
}

}  // namespace litestage::app
