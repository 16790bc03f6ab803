// Heat maps of a made-up importance: orientation, scale, and the page.
#include "offline/heat_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <string>

#include "offline/heat_map_html.h"
#include "support/importance_example.h"

namespace litestage::test {
namespace {

TEST(HeatMaps, OneAFigureWithARowAStagePhaseAndKind) {
  const auto maps = heat_maps(importance_example());
  ASSERT_EQ(maps.size(), 4U);
  EXPECT_EQ(maps[0].name, "Cosine");
  EXPECT_EQ(maps[3].name, "Damage per millisecond");
  for (const HeatMap& map : maps) {
    // answer writes nothing.
    ASSERT_EQ(map.rows.size(), 6U) << map.name;
    EXPECT_EQ(map.rows[0].stage + map.rows[0].phase + map.rows[0].sublayer,
              "recallreadingattention");
    EXPECT_EQ(map.rows[3].stage + map.rows[3].phase + map.rows[3].sublayer, "recallwritingFFN");
    EXPECT_EQ(map.rows[5].stage + map.rows[5].phase + map.rows[5].sublayer, "answerreadingFFN");
    EXPECT_EQ(map.rows[0].values.size(), 3U);
  }
  const SublayerImportance known = importance_example().stages[0].of(Sublayer::ffn, 2);
  EXPECT_DOUBLE_EQ(maps[0].rows[1].values[2], known.prefill.cosine);
  EXPECT_DOUBLE_EQ(maps[2].rows[3].values[2], known.decode.ms);
  EXPECT_DOUBLE_EQ(maps[3].rows[3].values[2], known.decode.damage / (known.decode.ms * 30.5));
}

// In the example the highest layer is in every respect the one to leave out first.
TEST(HeatMaps, WarmIsWhatIsLeftOutFirst) {
  for (const HeatMap& map : heat_maps(importance_example())) {
    EXPECT_LT(map.heat(map.rows[0].values[0]), map.heat(map.rows[0].values[2])) << map.name;
    EXPECT_DOUBLE_EQ(map.heat(map.first == "high" ? map.high : map.low), 1) << map.name;
    EXPECT_DOUBLE_EQ(map.heat(map.first == "high" ? map.low : map.high), 0) << map.name;
  }
}

TEST(HeatMaps, ScalesSpreadWhatLiesTogether) {
  HeatMap map{.name = "x", .first = "high", .scale = HeatScale::near_one, .low = 0, .high = 0.999};
  EXPECT_NEAR(map.heat(0.9), 1.0 / 3, 1e-9);
  EXPECT_NEAR(map.heat(0.99), 2.0 / 3, 1e-9);
  map = {.name = "x", .first = "high", .scale = HeatScale::logarithmic, .low = 0.01, .high = 10};
  EXPECT_NEAR(map.heat(0.1), 1.0 / 3, 1e-9);
  map = {.name = "x", .first = "low", .low = 2, .high = 2};
  EXPECT_DOUBLE_EQ(map.heat(2), 0.5);
  EXPECT_TRUE(std::isnan(map.heat(SublayerFigures::UNKNOWN)));
  EXPECT_EQ(map.text(SublayerFigures::UNKNOWN), "");
  // A zero has no logarithm.
  map = {.name = "x", .first = "low", .scale = HeatScale::logarithmic, .low = 0, .high = 5};
  EXPECT_DOUBLE_EQ(map.heat(0), 1);
}

TEST(HeatMaps, WhatWasNotMeasuredIsLeftOut) {
  Importance importance = importance_example();
  for (StageImportance& stage : importance.stages) {
    for (auto& layer : stage.layers) {
      for (SublayerImportance& sublayer : layer)
        sublayer.prefill.damage = sublayer.decode.damage = SublayerFigures::UNKNOWN;
    }
  }
  // Where nothing is saved, there is no damage a millisecond.
  const auto maps = heat_maps(importance);
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_EQ(maps[1].name, "Milliseconds");
  importance = importance_example();
  importance.stages[0].of(Sublayer::ffn, 1).prefill.ms = 0;
  EXPECT_TRUE(std::isnan(heat_maps(importance)[3].rows[1].values[1]));
}

std::ptrdiff_t count(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  return std::distance(std::sregex_iterator(text.begin(), text.end(), expression),
                       std::sregex_iterator());
}

TEST(HeatMapPage, HasEveryCellAndNeedsNothingElse) {
  const std::string html = heat_map_html(importance_example());
  EXPECT_EQ(count(html, "<td class=\"heat[0-9]\" title=\"[^\"]+\">"), 4 * 6 * 3);
  EXPECT_EQ(count(html, "<table"), 5);
  EXPECT_EQ(count(html, "<table"), count(html, "</table>"));
  EXPECT_EQ(count(html, "<div"), count(html, "</div>"));
  EXPECT_EQ(count(html, "<span"), count(html, "</span>"));
  EXPECT_EQ(count(html, "class=\"heat-legend\""), 4);
  EXPECT_EQ(count(html, "<script|https?:|src=|@import|url\\("), 0);
  EXPECT_EQ(count(html, "prefers-color-scheme: dark"), 1);
  EXPECT_EQ(count(html, "name=\"viewport\""), 1);
  EXPECT_NE(html.find("recall, writing, layer 2 FFN: cosine"), std::string::npos);
}

TEST(HeatMapPage, EscapesNames) {
  Importance importance = importance_example();
  importance.model_name = "<script>alert(\"&\")</script>";
  importance.stages[0].name = "a\"><b>";
  const std::string html = heat_map_html(importance);
  EXPECT_EQ(count(html, "<script|<b>"), 0);
  EXPECT_NE(html.find("&lt;script&gt;alert(&quot;&amp;&quot;)"), std::string::npos);
}

}  // namespace
}  // namespace litestage::test
