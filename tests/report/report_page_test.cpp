// The page of a report: complete, self-contained, and inert whatever stands in the records.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "report/question_data.h"
#include "report/report.h"
#include "support/contains.h"
#include "support/html_check.h"
#include "support/report_example.h"

namespace litestage::test {
namespace {

TEST(ReportPage, HasEveryChartAndNeedsNothingElse) {
  const std::string html = report_html(report_example());
  EXPECT_EQ(nesting_fault(html), "");
  // A task: scatter, sources, stages, and one of lengths for each stage that is written; two
  // sweeps.
  EXPECT_EQ(occurrences(html, "<svg"), 2 * (3U + 3) + 2);
  EXPECT_EQ(occurrences(html, "://"), 0U);
  EXPECT_EQ(occurrences(html, "@import"), 0U);
  EXPECT_FALSE(contains(html, "\"nan"));
  EXPECT_FALSE(contains(html, "inf\""));
  EXPECT_TRUE(contains(html, "Damage per millisecond"));
}

TEST(ReportPage, EveryIdIsThereOnceAndEveryChartIsDescribed) {
  const std::string html = report_html(report_example());
  const std::regex id(R"re( id="([^"]+)")re");
  std::set<std::string> ids;
  for (std::sregex_iterator it(html.begin(), html.end(), id), end; it != end; ++it)
    EXPECT_TRUE(ids.insert((*it)[1]).second) << (*it)[1];
  const std::regex labelled(R"re(aria-labelledby="([^"]+)")re");
  for (std::sregex_iterator it(html.begin(), html.end(), labelled), end; it != end; ++it) {
    std::istringstream names((*it)[1]);
    for (std::string name; names >> name;)
      EXPECT_TRUE(ids.contains(name)) << name;
  }
}

TEST(ReportPage, TextsOfModelsAreInert) {
  const std::string html = report_html(report_example());
  EXPECT_EQ(occurrences(html, "<script"), 2U);  // the data and the page's own
  EXPECT_EQ(occurrences(html, "</script"), 2U);
  EXPECT_EQ(occurrences(html, "<img"), 0U);
  EXPECT_EQ(occurrences(html, "<i>rod"), 0U);
  EXPECT_EQ(occurrences(html, "<!--"), 0U);
  EXPECT_EQ(occurrences(html, "innerHTML"), 0U);
  EXPECT_TRUE(contains(html, "script-src 'sha256-"));

  ReportInput input = report_example();
  const std::string attack = "\"'><script>x</script>";
  input.title = attack;
  EvalHeader& header = input.runs[0].run.header;
  header.machine = attack;
  for (EvalArm& arm : header.arms) {
    if (arm.policy != "full") arm.policy += attack;
    arm.task += attack;
    arm.program += attack;
    arm.model_name += attack;
  }
  for (EvalRecord& record : input.runs[0].run.records) {
    record.id += attack;
    for (EvalStage& stage : record.stages)
      stage.name += attack;
  }
  const std::string attacked = report_html(input);
  EXPECT_EQ(occurrences(attacked, "<script>x"), 0U);
  EXPECT_EQ(occurrences(attacked, "<script"), 2U);
  EXPECT_EQ(nesting_fault(attacked), "");
}

TEST(QuestionData, HasEveryDisagreementWithBothTexts) {
  const std::vector<ReportGroup> groups = report_groups(report_example());
  const auto data = nlohmann::json::parse(question_data(groups));
  // openbookqa: 28 + 21 + 28 + 35 + 8, gsm8k: 7 + 2
  EXPECT_EQ(data.at("entries").size(), 129U);
  EXPECT_EQ(disagreements(groups), 129U);
  EXPECT_EQ(data.at("tasks"), (std::vector<std::string>{"openbookqa", "gsm8k"}));
  std::size_t lost = 0;
  for (const auto& entry : data.at("entries")) {
    const auto& question = data.at("questions").at(entry.at("question").get<std::size_t>());
    const auto& answers = question.at("answers");
    const bool full_is_right = answers.at("full").at("correct");
    EXPECT_NE(full_is_right, answers.at(entry.at("policy").get<std::string>()).at("correct"));
    EXPECT_EQ(entry.at("kind"), full_is_right ? "lost" : "gained");
    lost += full_is_right ? 1 : 0;
  }
  EXPECT_EQ(lost, 20U + 15 + 24 + 30 + 5 + 6 + 1);
  const auto& first = data.at("questions").at(0).at("answers").at("full").at("stages").at(0);
  EXPECT_EQ(first.at("name"), "recall");
}

}  // namespace
}  // namespace litestage::test
