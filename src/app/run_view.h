#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "app/terminal.h"
#include "litestage/pipeline.h"

namespace litestage::app {

/// "end_of_text", or "choice, leads by 0.62" where a choice was read from likelihoods.
std::string ending_text(const StageRecord& record);
/// The answer, or "none found".
std::string answer_text(const QuestionRecord& record);

/// What is said of an answer: whether it is right, or that it was interrupted.
struct AnswerVerdict {
  std::string text;        ///< empty: the right one is not known
  const char* style = "";  ///< of the text
};
AnswerVerdict verdict_of(const QuestionRecord& record, const Style& style);

/// Shows a question and its stages on a text stream while they are written: one branch as it comes,
/// the others, which are written at the same time, behind it.
class RunView : public PipelineListener {
 public:
  explicit RunView(std::FILE* stream);

  /// @param index counted from 1; `count` 0 when it is not known how many come
  void show_question(const Question& question, const std::string& program, std::size_t index,
                     std::size_t count);
  /// Says which of two ways to answer comes now.
  void show_arm(const std::string& name);
  void show_answer(const QuestionRecord& record);

  void on_stage_begin(const std::string& stage, const std::vector<std::string>& options) override;
  void on_text(const std::string& stage, int branch, std::string_view piece) override;
  void on_stage_end(const std::vector<StageRecord>& records) override;

 private:
  void open_line(const std::string& label);
  void put(std::string_view text);

  std::FILE* stream_;
  Style style_;
  std::vector<std::string> options_;  // letters of the stage at hand
  bool blank_ = true;                 // only spaces were left out so far
};

/// Accuracy, and what each stage took on average.
class RunSummary {
 public:
  void add(const QuestionRecord& record, const std::string& program);
  /// @param title stands above, unless it is empty
  void print(std::FILE* stream, const std::string& title = {}) const;

 private:
  struct StageSum {
    std::string program;
    std::string name;
    int questions = 0;
    double texts = 0;
    double prompt = 0;
    double reused = 0;
    double tokens = 0;
    double prefill_ms = 0;
    double decode_ms = 0;
  };
  StageSum& sum_of(const std::string& program, const std::string& name);

  std::vector<StageSum> stages_;
  int questions_ = 0;
  int judged_ = 0;
  int right_ = 0;
  double total_ms_ = 0;
};

/// The same questions answered in two ways, one after the other.
class ArmComparison {
 public:
  void add(const QuestionRecord& full, const QuestionRecord& plan);
  /// Rights and wrongs by pairs, and how many times faster the second way is, with its 95 %
  /// interval.
  void print(std::FILE* stream) const;

 private:
  std::vector<double> full_ms_;
  std::vector<double> plan_ms_;
  int judged_ = 0;
  int full_right_ = 0;
  int plan_right_ = 0;
  int lost_ = 0;
  int gained_ = 0;
};

}  // namespace litestage::app
