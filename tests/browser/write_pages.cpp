// Writes the pages that the browser test opens into a folder: those of the examples that the other
// tests use too.
#include <filesystem>

#include "base/text_file.h"
#include "offline/heat_map_html.h"
#include "offline/sweep_chart.h"
#include "report/report.h"
#include "support/importance_example.h"
#include "support/report_example.h"
#include "support/search_example.h"

int main(int argc, char** argv) {
  using namespace litestage;
  if (argc != 2) return 2;
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  write_text_file(folder / "report.html", report_html(test::report_example()));
  write_text_file(folder / "importance.html", heat_map_html(test::importance_example()));
  write_text_file(folder / "search.html", search_report_html(test::example_search()));
  return 0;
}
