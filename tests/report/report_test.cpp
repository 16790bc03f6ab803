// What a report says of a made-up run whose figures are known.
#include "report/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "litestage/error.h"
#include "report/report_data.h"
#include "support/contains.h"
#include "support/html_check.h"
#include "support/report_example.h"

namespace litestage::test {
namespace {

/// The first line of a text that begins so, after the place where `from` stands; or "".
std::string line_after(const std::string& text, const std::string& from, const std::string& start) {
  const std::size_t begin = text.find("\n" + start, text.find(from));
  if (begin == std::string::npos) return "";
  return text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
}

ReportInput input_of(const std::vector<EvalRun>& runs) {
  ReportInput input;
  for (const EvalRun& run : runs)
    input.runs.push_back({"file" + std::to_string(input.runs.size() + 1) + ".jsonl", run});
  return input;
}

/// A run with those policies of the example alone.
EvalRun only(EvalRun run, const std::vector<std::string>& policies) {
  std::erase_if(run.records, [&](const EvalRecord& record) {
    const std::string& policy = run.header.arms[static_cast<std::size_t>(record.arm)].policy;
    return std::ranges::find(policies, policy) == policies.end();
  });
  return run;
}

/// A run with those of the example's questions alone.
template <typename Predicate>
EvalRun questions_where(EvalRun run, Predicate&& wanted) {
  int number = 0;
  std::erase_if(run.records, [&](const EvalRecord&) { return !wanted(number++ % 120); });
  return run;
}

TEST(ReportMarkdown, HasTheKnownNumbers) {
  const std::string text = report_markdown(report_example());
  const std::string full = line_after(text, "### Accuracy", "| full |");
  EXPECT_EQ(full, "| full | 120 | 60.0 % (51.1 to 68.3) | 5 | – | – | – |");
  // 72 - 15 + 6 of 120; McNemar's exact test of 15 against 6.
  const std::string adaskip = line_after(text, "### Accuracy", "| adaskip:k=8 |");
  EXPECT_TRUE(contains(adaskip, "| 52.5 % (")) << adaskip;
  EXPECT_TRUE(contains(adaskip, "| −7.5 (−15.")) << adaskip;
  EXPECT_TRUE(contains(adaskip, "| 15 / 6 | 0.078 |")) << adaskip;
  const std::string plan = line_after(text, "### Accuracy", "| litestage:plan.json+exit |");
  EXPECT_TRUE(contains(plan, "| 5 / 3 | 0.727 |")) << plan;
}

TEST(ReportMarkdown, TimesAreThoseOfTheRecords) {
  const ReportInput input = report_example();
  double sum = 0;
  for (const EvalRecord& record : input.runs[0].run.records)
    sum += record.arm == 0 ? record.total_ms : 0;
  const std::string line = line_after(report_markdown(input), "### Latency", "| full |");
  EXPECT_TRUE(line.starts_with("| full | 120 | " + std::to_string(std::lround(sum / 120)) + " ("))
      << line;
}

TEST(ReportMarkdown, TimeIsSplitByStageIntoReadingAndWriting) {
  const ReportInput input = report_example();
  double reading = 0;
  double writing = 0;
  double tokens = 0;
  for (const EvalRecord& record : input.runs[0].run.records) {
    for (const EvalStage& stage : record.stages) {
      if (record.arm != 0 || stage.name != "analyze") continue;
      reading += stage.prefill_ms / 120;
      writing += stage.decode_ms / 120;
      tokens += stage.tokens / 120.0;
    }
  }
  EXPECT_EQ(line_after(report_markdown(input), "### Where the time goes", "| full, analyze |"),
            fmt::format("| full, analyze | {:.1f} | {:.1f} | {:.1f} | 60.0 | {:.1f} | {:.1f} |",
                        reading + writing, reading, writing, tokens, writing / tokens));
}

TEST(ReportMarkdown, TableRowsHaveAsManyCellsAsTheirHead) {
  std::istringstream lines(report_markdown(report_example()));
  std::ptrdiff_t cells = 0;
  int tables = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("|")) {
      cells = 0;
      continue;
    }
    const std::ptrdiff_t bars = std::ranges::count(line, '|');
    if (cells == 0) {
      cells = bars;
      ++tables;
    }
    EXPECT_EQ(bars, cells) << line;
  }
  EXPECT_EQ(tables, 10);  // five a task
}

TEST(ReportMarkdown, WarnsOfWhatIsDoubtful) {
  EvalRun run = report_example_run();
  std::erase_if(run.records, [](const EvalRecord& record) {
    return record.arm == 2 && record.id < "question-040";
  });
  const std::string text = report_markdown(input_of({run}));
  EXPECT_TRUE(contains(text, "litestage:plan.json+exit was tuned on 2 of its 120 questions"));
  EXPECT_TRUE(
      contains(text, "adaskip:k=8 answered 80 questions and the full model 120, 80 of them"));
  EXPECT_TRUE(contains(text, "Few questions: 40 with full"));  // gsm8k
  EXPECT_FALSE(contains(text, "machines are mixed"));

  EvalRun first = questions_where(report_example_run(), [](int i) { return i % 2 == 0; });
  EvalRun second = questions_where(report_example_run(), [](int i) { return i % 2 == 1; });
  second.header.machine = "another processor";
  const std::string both = report_markdown(input_of({first, second}));
  EXPECT_TRUE(contains(both,
                       "machines are mixed: a processor \\& its features, 2 threads; another "
                       "processor, 2 threads"));
  EXPECT_EQ(line_after(both, "### Accuracy", "| full |"),
            "| full | 120 | 60.0 % (51.1 to 68.3) | 5 | – | – | – |");
}

TEST(ReportMarkdown, P99NeedsEnoughQuestions) {
  EXPECT_FALSE(contains(report_markdown(input_of({report_example_run(LEAST_FOR_P99 - 1)})), "p99"));
  const std::string text = report_markdown(input_of({report_example_run(LEAST_FOR_P99)}));
  EXPECT_EQ(occurrences(text, "p99"), 1U);  // not for the third of them on the other task
}

TEST(ReportMarkdown, P90NeedsEnoughQuestions) {
  const std::string text = report_markdown(report_example());
  const std::regex without_p90(R"(\| full \| [0-9]+ \| [^|]+\| [0-9.]+ \| – \| – \|)");
  EXPECT_FALSE(std::regex_match(line_after(text, "## openbookqa", "| full | 1"), without_p90));
  const std::size_t latency = text.find("### Latency", text.find("## gsm8k"));
  EXPECT_TRUE(std::regex_match(line_after(text.substr(latency), "", "| full |"), without_p90));
}

TEST(ReportMarkdown, NamesAreNoMarkup) {
  EvalRun run = report_example_run();
  run.header.arms[2].policy = "<b>a|b</b> [x](y) `c`\n# d";
  const std::string text = report_markdown(input_of({run}));
  EXPECT_TRUE(contains(text, "| \\<b\\>a\\|b\\</b\\> \\[x\\](y) \\`c\\` \\# d |"));
}

TEST(Report, NothingToReportIsTheUsersFault) {
  EXPECT_THROW(report_html({}), UserError);
  EXPECT_THROW(report_markdown({}), UserError);
  EvalRun run = report_example_run();
  run.records.clear();
  try {
    report_markdown(input_of({run}));
    FAIL() << "an empty run was reported";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "file1.jsonl");
  }
}

TEST(Report, OnePolicyAloneIsEnough) {
  for (const char* policy : {"full", "adaskip:k=8"}) {
    const ReportInput input = input_of({only(report_example_run(), {policy})});
    const std::string text = report_markdown(input);
    EXPECT_TRUE(contains(text, "| " + std::string(policy) + " | 120 |"));
    EXPECT_FALSE(contains(text, "Source of the speedup"));
    EXPECT_EQ(contains(text, "no full model"), std::string(policy) != "full");
    const std::string html = report_html(input);
    EXPECT_EQ(nesting_fault(html), "") << policy;
    EXPECT_FALSE(contains(html, "question-data"));
    EXPECT_FALSE(contains(html, "nan"));
  }
}

TEST(Report, FilesOfOneEvaluationBecomeOne) {
  const EvalRun whole = report_example_run();
  const EvalRun full = only(whole, {"full", "direct"});
  const EvalRun others = only(
      whole, {"adaskip:k=8", "litestage:plan.json+exit", "skipdecode:save=10", "unifiedskip:k=8"});
  EXPECT_EQ(report_markdown(input_of({full, others})), report_markdown(input_of({whole})));
}

TEST(Report, AQuestionAnsweredInTwoFilesIsRefused) {
  const EvalRun run = report_example_run();
  try {
    report_markdown(input_of({run, run}));
    FAIL() << "doubled answers were reported";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "file2.jsonl");
    EXPECT_TRUE(contains(error.what(), "question-000")) << error.what();
    EXPECT_TRUE(contains(error.what(), "file1.jsonl")) << error.what();
  }
}

TEST(Report, OtherFullModelsMakeOtherGroups) {
  const EvalRun one = report_example_run();
  EvalRun two = one;
  for (EvalArm& arm : two.header.arms) {
    arm.model_name = "Example 1.5B";
    arm.model_hash = "other";
  }
  const std::vector<ReportGroup> groups = report_groups(input_of({one, two}));
  ASSERT_EQ(groups.size(), 4U);
  EXPECT_EQ(groups[0].name, "openbookqa (recall-analyze-summarize on Example 0.5B)");
  EXPECT_EQ(groups[2].name, "openbookqa (recall-analyze-summarize on Example 1.5B)");
  EXPECT_EQ(groups[2].arms.size(), 6U);
}

TEST(Report, PoliciesOfOneNameAreToldApart) {
  EvalRun run = report_example_run();
  run.header.arms[2].policy = run.header.arms[3].policy = "litestage:plan.json+exit";
  run.header.arms[3].program = "another-program";
  const std::vector<ReportGroup> groups = report_groups(input_of({run}));
  EXPECT_EQ(groups[0].arms[2].label,
            "litestage:plan.json+exit (recall-analyze-summarize on Example 0.5B)");
  EXPECT_EQ(groups[0].arms[3].label, "litestage:plan.json+exit (another-program on Example 0.5B)");
  EXPECT_EQ(groups[0].arms[5].label,
            "litestage:plan.json+exit (recall-analyze-summarize on Example 0.5B) #2");
}

}  // namespace
}  // namespace litestage::test
