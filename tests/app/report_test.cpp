// `litestage report` from files on disk.
#include <gtest/gtest.h>

#include <string>

#include "offline/search_json.h"
#include "support/contains.h"
#include "support/eval_example.h"
#include "support/importance_example.h"
#include "support/report_example.h"
#include "support/run_program.h"
#include "support/search_example.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

TEST(ReportVerb, WritesPageAndMarkdown) {
  const TemporaryFolder folder;
  write_file(folder / "runs.jsonl", eval_file(report_example_run()));
  write_file(folder / "importance.json", to_json(importance_example()));
  write_file(folder / "search.json", to_json(example_search()));
  const ProgramResult result =
      run_program({"report", folder / "runs.jsonl", "-o", folder / "report.html", "--markdown",
                   folder / "report.md", "--importance", folder / "importance.json", "--search",
                   folder / "search.json"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, "");
  const std::string html = read_file(folder / "report.html");
  for (const char* part : {"<!DOCTYPE html>", "openbookqa", "id=\"search1\"", "id=\"importance1\"",
                           "id=\"question-data\""})
    EXPECT_TRUE(contains(html, part)) << part;
  EXPECT_TRUE(contains(read_file(folder / "report.md"), "| full | 120 | 60.0 % (51.1 to 68.3) |"));
}

TEST(ReportVerb, WhatIsWrongIsSaidAndNothingWritten) {
  const TemporaryFolder folder;
  const auto expect_error = [&](const std::vector<std::string>& arguments,
                                const std::string& part) {
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_TRUE(contains(result.errors, part)) << result.errors;
  };
  const std::string page = folder / "report.html";
  const std::string runs = folder / "runs.jsonl";
  expect_error({"report"}, "RUNS");
  expect_error({"report", runs, "-o", page}, "runs.jsonl");
  EvalRun empty = report_example_run();
  empty.records.clear();
  write_file(runs, eval_file(empty));
  expect_error({"report", runs, "-o", page}, "there is no record of an answered question");
  write_file(runs, eval_file(report_example_run()));
  expect_error({"report", runs, "-o", folder / "no/report.html"}, "cannot be written to");
  expect_error({"report", runs, "-o", page, "--search", runs}, "runs.jsonl");
  EXPECT_FALSE(std::filesystem::exists(page));
}

}  // namespace
}  // namespace litestage::test
