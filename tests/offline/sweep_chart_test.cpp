#include "offline/sweep_chart.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

#include "support/html_check.h"
#include "support/search_example.h"

namespace litestage::test {
namespace {

TEST(SearchReport, ShowsEveryCandidateOfEverySweep) {
  const SearchFile file = example_search();
  const std::string html = search_report_html(file);
  EXPECT_EQ(occurrences(html, "<svg"), 2U);
  EXPECT_EQ(occurrences(html, "<tr class="),
            file.result.sweeps.size() + file.early.candidates.size());
  EXPECT_EQ(occurrences(html, "<tr class=\"chosen-row\">"), 3U);  // two stages, early answers
  std::size_t marks = 0;
  for (const SweepRecord& record : file.result.sweeps)
    marks += (record.questions > 0 ? 1 : 0) + (record.time ? 1 : 0);
  EXPECT_EQ(occurrences(html, "<g class="), marks);
  EXPECT_EQ(occurrences(html, "class=\"ring\""), 4U);  // accuracy and latency, two sweeps
  for (const char* words : {"dropped on the way", "accurate enough, slower", "recall", "analyze",
                            "at most 3 points lost", "at a lead of 0.7"})
    EXPECT_NE(html.find(words), std::string::npos) << words;
}

TEST(SearchReport, IsWellFormedAndNeedsNothingElse) {
  const std::string html = search_report_html(example_search());
  EXPECT_EQ(nesting_fault(html), "");
  EXPECT_EQ(html.find("://"), std::string::npos);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_EQ(html.find("inf\""), std::string::npos);
}

TEST(SearchReport, EscapesWhatComesFromFiles) {
  const std::string html = search_report_html(example_search());
  EXPECT_NE(html.find("tiny &lt;model&gt;"), std::string::npos);
  EXPECT_NE(html.find("2 sublayers &lt;b&gt;&amp;&quot;"), std::string::npos);
  EXPECT_EQ(html.find("<b>"), std::string::npos);
  EXPECT_NE(html.find("a processor &amp; its features"), std::string::npos);
}

TEST(SearchReport, EveryChartHasATitleAndADescription) {
  const std::string html = search_report_html(example_search());
  const std::regex labelled(R"re(role="img" aria-labelledby="(sweep\d)-title (sweep\d)-desc")re");
  std::size_t charts = 0;
  for (std::sregex_iterator it(html.begin(), html.end(), labelled), end; it != end; ++it) {
    const std::string id = (*it)[1];
    EXPECT_EQ(occurrences(html, "<title id=\"" + id + "-title\">"), 1U);
    EXPECT_EQ(occurrences(html, "<desc id=\"" + id + "-desc\">"), 1U);
    ++charts;
  }
  EXPECT_EQ(charts, 2U);
}

TEST(SearchReport, MarksStayInTheirPicture) {
  const std::string html = search_report_html(example_search());
  const std::regex place(R"re(cy="(-?[0-9.]+)")re");
  std::size_t marks = 0;
  for (std::sregex_iterator it(html.begin(), html.end(), place), end; it != end; ++it, ++marks) {
    EXPECT_GE(std::stod((*it)[1]), 0);
    EXPECT_LE(std::stod((*it)[1]), 420);
  }
  EXPECT_GT(marks, 10U);
}

TEST(SearchReport, ChartsStandAboveTheNumberOfSublayersLeftOut) {
  const std::string html = search_report_html(example_search());
  EXPECT_EQ(occurrences(html, ">sublayers left out while reading or writing</text>"), 2U);
  EXPECT_EQ(occurrences(html, "Candidates stand above the number of sublayers"), 2U);
  EXPECT_NE(
      html.find("Candidate 3 (3 sublayers), 3 sublayers left out while reading and writing: "),
      std::string::npos);
  EXPECT_NE(html.find("Candidate 0 (0 sublayers): "), std::string::npos);
  EXPECT_EQ(occurrences(html, "class=\"mark\""), occurrences(html, "<g class="));
}

TEST(SearchReport, MarksTellWhenSublayersAreLeftOut) {
  SearchFile file = example_search();
  std::vector<Candidate>& candidates = file.stages[1].candidates;
  candidates[1].settings = {SublayerMask::parse("f2-3", 24), {}, {}};
  candidates[2].settings = {{}, SublayerMask::parse("a4,f3", 24), {}};
  std::size_t reading = 0;
  std::size_t writing = 0;
  for (const SweepRecord& record : file.result.sweeps) {
    if (record.stage != file.stages[1].stage) continue;
    const std::size_t marks = (record.questions > 0 ? 1U : 0U) + (record.time ? 1U : 0U);
    if (record.candidate == 1) reading += marks;
    if (record.candidate == 2) writing += marks;
  }
  ASSERT_GT(reading, 0U);
  ASSERT_GT(writing, 0U);
  const std::string html = search_report_html(file);
  EXPECT_EQ(occurrences(html, "<path class=\"mark\""), reading);
  EXPECT_EQ(occurrences(html, "<rect class=\"mark\""), writing);
  EXPECT_EQ(occurrences(html, "2 sublayers left out while reading: "), reading);
  EXPECT_EQ(occurrences(html, "2 sublayers left out (1 attention) while writing: "), writing);
}

TEST(SearchReport, RulesThatEndTextsStandInTheirOrder) {
  SearchFile file = example_search();
  for (std::size_t i = 1; i < file.stages[1].candidates.size(); ++i)
    file.stages[1].candidates[i].settings = {{}, {}, {.max_tokens = static_cast<int>(i)}};
  const std::string html = search_report_html(file);
  EXPECT_EQ(occurrences(html, ">sublayers left out while reading or writing</text>"), 1U);
  EXPECT_EQ(occurrences(html, "These candidates differ in when texts end"), 1U);
  EXPECT_EQ(occurrences(html, ">candidate</text>"), 2U) << "at the foot, and between two charts";
}

}  // namespace
}  // namespace litestage::test
