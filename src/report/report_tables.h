#pragma once

#include <string>
#include <vector>

#include "report/report_data.h"

namespace litestage {

/// A table before it is Markdown or HTML: the first column names the row, all others hold numbers.
/// Nothing in it is escaped.
struct ReportTable {
  std::string name;
  std::string note;  ///< how it is to be read; may be empty
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// Right answers with Wilson's interval, and the difference to the full model.
ReportTable accuracy_table(const ReportGroup& group);
/// Milliseconds a question; p99 stands in it only when an arm has enough questions for one.
ReportTable latency_table(const ReportGroup& group);
/// Where the speedup comes from. No row when there is nothing to compare.
ReportTable source_table(const ReportGroup& group);
/// Reading and writing of every stage: milliseconds and tokens.
ReportTable time_table(const ReportGroup& group);
/// Tokens written in each stage, with intervals.
ReportTable length_table(const ReportGroup& group);

/// The mean of the tokens that an arm writes in a stage (all branches), with its bootstrap interval
/// over questions.
struct TextLength {
  double tokens = 0;
  Interval tokens_95;
};
/// @param stage empty for all stages together
TextLength text_length(const ReportGroup& group, const ReportArm& arm, const std::string& stage);

/// "1.24× (1.20 to 1.29)", or "1.24×" where one question has no interval.
std::string speedup_text(const Ratio& speedup);
/// "62.0 % (57.1 to 66.7)" of shares from 0 to 1.
std::string accuracy_text(double accuracy, const Interval& interval);
/// Milliseconds in as many digits as are worth printing.
std::string milliseconds_text(double ms);

}  // namespace litestage
