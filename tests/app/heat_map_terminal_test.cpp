#include "app/heat_map_terminal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "support/importance_example.h"

namespace litestage::app {
namespace {

TEST(HeatMapTerminal, WithoutColoursHasDigits) {
  const std::string text = format_importance(test::importance_example(), false, 80);
  EXPECT_EQ(text.find('\033'), std::string::npos);
  // Milliseconds: attention costs next to nothing, the last layer's FFN in writing most.
  const std::size_t map = text.find("\nMilliseconds:");
  ASSERT_NE(map, std::string::npos);
  EXPECT_NE(text.find("recall reading attention  0 0 0\n", map), std::string::npos) << text;
  EXPECT_NE(text.find("       writing attention  0 0 0\n", map), std::string::npos) << text;
  EXPECT_NE(text.find("               FFN        9 9 9\n", map), std::string::npos) << text;
  EXPECT_NE(text.find("0.020 0123456789 0.620 (left out first)", map), std::string::npos) << text;
}

TEST(HeatMapTerminal, ColoursCells) {
  const std::string text = format_importance(test::importance_example(), true, 80);
  EXPECT_NE(text.find("\033[48;5;226m  \033[0m"), std::string::npos);
  EXPECT_NE(text.find("\033[48;5;53m  \033[0m"), std::string::npos);
}

TEST(HeatMapTerminal, NarrowTerminalsGetNarrowCells) {
  Importance importance = test::importance_example();
  for (StageImportance& stage : importance.stages)
    stage.layers.resize(30, stage.layers[1]);
  const auto longest_row = [&](int width) {
    std::istringstream lines(format_importance(importance, false, width));
    std::size_t longest = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.find(" attention ") != std::string::npos) longest = std::max(longest, line.size());
    }
    return longest;
  };
  constexpr std::size_t LABEL = 25;
  EXPECT_EQ(longest_row(100), LABEL + 60);
  EXPECT_EQ(longest_row(80), LABEL + 30);
}

TEST(HeatMapTerminal, TheRulerStandsOverItsLayers) {
  Importance importance = test::importance_example();
  for (StageImportance& stage : importance.stages)
    stage.layers.resize(12, stage.layers[1]);
  const std::string text = format_importance(importance, false, 60);
  EXPECT_NE(text.find("\n" + std::string(25, ' ') + " 0         5        10\n"), std::string::npos)
      << text;
}

}  // namespace
}  // namespace litestage::app
