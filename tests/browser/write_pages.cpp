// Writes the pages that the browser test opens into a folder: those of the examples that the other
// tests use too.
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/text_file.h"
#include "offline/heat_map_html.h"
#include "offline/sweep_chart.h"
#include "report/report.h"
#include "support/importance_example.h"
#include "support/report_example.h"
#include "support/search_example.h"

namespace {

/// The example's run with so many times its questions.
litestage::ReportInput many_questions(int times) {
  litestage::ReportInput input = litestage::test::report_example();
  input.searches.clear();
  input.importances.clear();
  std::vector<litestage::EvalRecord>& records = input.runs[0].run.records;
  const std::vector<litestage::EvalRecord> once = records;
  for (int copy = 1; copy < times; ++copy) {
    for (litestage::EvalRecord record : once) {
      record.id += "-" + std::to_string(copy);
      record.question_hash = std::to_string(copy) + record.question_hash.substr(2);
      records.push_back(std::move(record));
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace litestage;
  if (argc != 2) return 2;
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  write_text_file(folder / "report.html", report_html(test::report_example()));
  constexpr int TIMES = 24;
  write_text_file(folder / "many.html", report_html(many_questions(TIMES)));
  write_text_file(folder / "importance.html", heat_map_html(test::importance_example()));
  write_text_file(folder / "search.html", search_report_html(test::example_search()));
  return 0;
}
