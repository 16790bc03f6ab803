#pragma once

#include <string>
#include <vector>

#include "eval/eval_record.h"
#include "offline/importance.h"
#include "offline/search_json.h"

namespace litestage {

/// What a report is made of: files that others wrote. It never loads a model.
struct ReportInput {
  struct Named {
    std::string name;  ///< file name without folder
    EvalRun run;
  };
  std::vector<Named> runs;
  std::vector<Importance> importances;  ///< heat maps; may be empty
  std::vector<SearchFile> searches;     ///< sweep curves; may be empty
  std::string title = "litestage report";
};

/// Tables in Markdown: accuracy, time, where the time goes, and what to be wary of.
std::string report_markdown(const ReportInput& input);

/// One self-contained page, without network: charts, tables, and a browser of the questions on
/// which arms disagree. Model output is text there, never markup.
std::string report_html(const ReportInput& input);

}  // namespace litestage
