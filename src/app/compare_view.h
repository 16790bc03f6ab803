#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "app/terminal.h"
#include "litestage/pipeline.h"

namespace litestage::app {

/// Two answers to one question beside each other, stage by stage: texts, why they ended, tokens,
/// milliseconds, and what came of it. A stage that one of them did not run is named there too.
/// @param width columns of a terminal, at least 30
std::vector<std::string> records_beside(const QuestionRecord& full, const QuestionRecord& plan,
                                        std::size_t width, const Style& style);

/// What two answers to one question took, a line each for reading, writing, tokens written and all
/// of it, with full / plan; and whether they are right, where that is known.
std::string compared_table(const QuestionRecord& full, const QuestionRecord& plan,
                           const Style& style);

/// Whether a stream is a terminal on which two columns can be read: of 100 columns or more, and one
/// that can go back on its line.
bool fits_two_columns(std::FILE* stream);

/// Shows two answers to one question in two columns once both are there; until then one line has
/// what is being written.
class CompareView : public PipelineListener {
 public:
  explicit CompareView(std::FILE* stream);
  /// Wipes the line.
  ~CompareView() override;
  CompareView(const CompareView&) = delete;
  CompareView& operator=(const CompareView&) = delete;

  /// Says which of the two is written now.
  void begin_arm(const std::string& name);
  void show(const QuestionRecord& full, const QuestionRecord& plan);

  void on_stage_begin(const std::string& stage, const std::vector<std::string>& options) override;
  void on_text(const std::string& stage, int branch, std::string_view piece) override;

 private:
  void draw();
  void wipe();

  std::FILE* stream_;
  Style style_;
  std::string arm_;
  std::string stage_;
  std::string text_;  // of the first branch
  bool drawn_ = false;
};

}  // namespace litestage::app
