#include "offline/sweep_chart.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>

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

}  // namespace
}  // namespace litestage::test
