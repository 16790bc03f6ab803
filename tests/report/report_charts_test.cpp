#include "report/report_charts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "report/chart_rows.h"
#include "report/label_placement.h"
#include "report/time_sources.h"
#include "support/html_check.h"
#include "support/report_example.h"

namespace litestage::test {
namespace {

/// The example's first group, openbookqa.
class ReportCharts : public testing::Test {
 protected:
  const ReportArm& arm(const std::string& label) const {
    return *std::ranges::find(group().arms, label, &ReportArm::label);
  }
  const ReportGroup& group() const { return groups_.front(); }

 private:
  std::vector<ReportGroup> groups_ = report_groups(report_example());
};

TEST_F(ReportCharts, TheFrontIsWhatNoneBeats) {
  const std::vector<const ReportArm*> front = pareto_front(group());
  ASSERT_EQ(front.size(), 3U);
  EXPECT_EQ(front[0]->label, "direct");
  EXPECT_EQ(front[1]->label, "litestage:plan.json+exit");
  EXPECT_EQ(front[2]->label, "full");
  const std::string svg = scatter_svg(group());
  EXPECT_EQ(occurrences(svg, "class=\"mark-front\""), 2U);
  EXPECT_EQ(occurrences(svg, "class=\"mark-full\""), 1U);
  EXPECT_EQ(occurrences(svg, "class=\"mark-beaten\""), 3U);
}

TEST_F(ReportCharts, SourcesAddUpToTheSpeedup) {
  for (const ReportArm& other : group().arms) {
    if (&other == group().full()) continue;
    const TimeSources sources = time_sources(*group().full(), other);
    EXPECT_NEAR(1 / (1 - sources.saved()), other.summary.against_full->speedup.value, 1e-9);
  }
  const TimeSources adaskip = time_sources(*group().full(), arm("adaskip:k=8"));
  EXPECT_GT(adaskip.per_token, 0.05);  // 14 % faster a token
  EXPECT_LT(adaskip.length, -0.05);    // 12 % longer texts
  EXPECT_NEAR(adaskip.other, 0, 0.01);
  // It writes nothing, so nothing can be said of its tokens.
  EXPECT_EQ(time_sources(*group().full(), arm("direct")).per_token, 0);
}

TEST_F(ReportCharts, MarksStayInTheirPictures) {
  const std::regex place(R"re(<circle cx="(-?[0-9.]+)" cy="(-?[0-9.]+)")re");
  const std::string svg = scatter_svg(group());
  std::size_t marks = 0;
  for (std::sregex_iterator it(svg.begin(), svg.end(), place), end; it != end; ++it, ++marks) {
    EXPECT_GT(std::stod((*it)[1]), 50);
    EXPECT_LT(std::stod((*it)[1]), 640);
    EXPECT_GT(std::stod((*it)[2]), 25);
    EXPECT_LT(std::stod((*it)[2]), 360);
  }
  EXPECT_EQ(marks, 6U);
  const std::regex bar(R"re(<rect class="[^"]+" x="(-?[0-9.]+)" y="[^"]+" width="(-?[0-9.]+)")re");
  for (const std::string& chart : {source_svg(group()), stage_time_svg(group())}) {
    std::size_t bars = 0;
    for (std::sregex_iterator it(chart.begin(), chart.end(), bar), end; it != end; ++it, ++bars) {
      EXPECT_GE(std::stod((*it)[1]), 13);
      EXPECT_GE(std::stod((*it)[2]), 0);
      EXPECT_LE(std::stod((*it)[1]) + std::stod((*it)[2]), 627);
    }
    EXPECT_GE(bars, 20U);
  }
}

TEST_F(ReportCharts, AStageThatAPolicyLacksHasNoBarForIt) {
  const std::vector<std::string> names = stage_names(group());
  ASSERT_EQ(names, (std::vector<std::string>{"recall", "analyze", "summarize", "answer"}));
  EXPECT_EQ(occurrences(length_svg(group(), 0), "<rect"), 5U);
  // direct alone has it, and reads its choice from logits.
  EXPECT_EQ(length_svg(group(), 3), "");
}

TEST(ShortLabel, KeepsBothEndsAndWholeCharacters) {
  EXPECT_EQ(short_label("adaskip:k=8"), "adaskip:k=8");
  EXPECT_EQ(short_label("litestage:runs/of/2026/some-plan.json+exit"),
            "litestage:runs/of/202…an.json+exit");
  std::string dots;
  for (int i = 0; i < 50; ++i)
    dots += "·";
  const std::string cut = short_label(dots);
  EXPECT_EQ(occurrences(cut, "·"), 33U);
  EXPECT_EQ(cut.size(), 33U * 2 + 3);
}

TEST(LabelPlacement, NamesOfCloseMarksDoNotCoverEachOther) {
  LabelPlacement placement({0, 0, 400, 300});
  std::vector<Box> boxes;
  for (const double y : {150.0, 152.0, 155.0, 149.0})
    placement.avoid({195, y - 5, 205, y + 5}, 6);
  for (const double y : {150.0, 152.0, 155.0, 149.0}) {
    const Box box = placement.place(200, y, 120, 15);
    for (const Box& other : boxes)
      EXPECT_EQ(box.overlap(other), 0);
    EXPECT_GE(box.left, 0);
    EXPECT_LE(box.right, 400);
    boxes.push_back(box);
  }
}

}  // namespace
}  // namespace litestage::test
