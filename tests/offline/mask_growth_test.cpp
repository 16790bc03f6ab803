#include "offline/mask_growth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

namespace litestage {
namespace {

/// Damages that do not add up: those of pairs are planted.
struct PlantedWorld {
  std::vector<GrowthItem> items;
  std::map<std::pair<int, int>, double> pairs;  ///< added when both are left out, first < second
  int measurements = 0;

  double damage(const std::vector<int>& left_out) const {
    double sum = 0;
    for (const int item : left_out)
      sum += items[static_cast<std::size_t>(item)].alone_damage;
    const std::set<int> set(left_out.begin(), left_out.end());
    for (const auto& [pair, added] : pairs) {
      if (set.contains(pair.first) && set.contains(pair.second)) sum += added;
    }
    return sum;
  }

  std::vector<GrowthLink> grown(const GrowthLimits& limits) {
    const auto links = grow(items, limits, [&](const std::vector<int>& left_out) {
      ++measurements;
      return std::optional(damage(left_out));
    });
    EXPECT_TRUE(links);
    return links.value_or(std::vector<GrowthLink>{});
  }
};

GrowthLimits limits(double most_damage, double most_saved_ms, int steps, int remeasured) {
  return {.most_damage = most_damage,
          .most_saved_ms = most_saved_ms,
          .steps = steps,
          .remeasured = remeasured};
}

TEST(MaskGrowth, TakesTheLeastDamageForEachMillisecond) {
  PlantedWorld world{.items = {{1, 0.10}, {4, 0.20}, {1, 0.02}, {2, 0.30}}, .pairs = {}};
  const auto links = world.grown(limits(1, 100, 100, 3));
  ASSERT_EQ(links.size(), 4U);
  EXPECT_EQ(links[0].items, (std::vector<int>{2}));
  EXPECT_EQ(links[1].items, (std::vector<int>{2, 1}));
  EXPECT_EQ(links[2].items, (std::vector<int>{2, 1, 0}));
  EXPECT_EQ(links[3].items, (std::vector<int>{2, 1, 0, 3}));
  EXPECT_DOUBLE_EQ(links[1].saved_ms, 5);
  EXPECT_DOUBLE_EQ(links[1].damage, 0.22);
}

// 0 and 1 look best, each alone; together they are bad, and 2 is the better second choice.
PlantedWorld interacting() {
  return {.items = {{1, 0.10}, {1, 0.11}, {1, 0.12}, {1, 0.50}}, .pairs = {{{0, 1}, 0.60}}};
}

TEST(MaskGrowth, MeasuringAnewBeatsTheOrderOfOneShot) {
  PlantedWorld world = interacting();
  const auto anew = world.grown(limits(2, 100, 100, 3));
  ASSERT_GE(anew.size(), 2U);
  EXPECT_EQ(anew[1].items, (std::vector<int>{0, 2}));
  const auto one_shot = world.grown(limits(2, 100, 100, 1));
  ASSERT_GE(one_shot.size(), 2U);
  EXPECT_EQ(one_shot[1].items, (std::vector<int>{0, 1}));
  EXPECT_LT(anew[1].damage, one_shot[1].damage - 0.5);
}

TEST(MaskGrowth, DamagesOfLinksAreMeasuredOnes) {
  PlantedWorld world = interacting();
  for (const auto& link : world.grown(limits(2, 100, 100, 3)))
    EXPECT_DOUBLE_EQ(link.damage, world.damage(link.items));
}

TEST(MaskGrowth, StopsWhereEveryNextLinkDoesTooMuch) {
  PlantedWorld world = interacting();
  const auto links = world.grown(limits(0.25, 100, 100, 3));
  ASSERT_EQ(links.size(), 2U);
  EXPECT_LE(links.back().damage, 0.25);
  // What does too much alone is not even measured.
  PlantedWorld hopeless{.items = {{1, 3}, {1, NAN}}, .pairs = {}};
  EXPECT_TRUE(hopeless.grown(limits(0.25, 100, 100, 3)).empty());
  EXPECT_EQ(hopeless.measurements, 0);
}

TEST(MaskGrowth, StopsWhenEnoughIsSaved) {
  PlantedWorld world{.items = std::vector<GrowthItem>(10, {2, 0.01}), .pairs = {}};
  const auto links = world.grown(limits(1, 6, 6, 3));
  ASSERT_EQ(links.size(), 3U);
  EXPECT_DOUBLE_EQ(links.back().saved_ms, 6);
}

TEST(MaskGrowth, SmallItemsAreTakenTogether) {
  PlantedWorld world{.items = std::vector<GrowthItem>(20, {1, 0.01}), .pairs = {}};
  const auto links = world.grown(limits(1, 20, 4, 3));
  ASSERT_EQ(links.size(), 4U);
  for (std::size_t i = 0; i < links.size(); ++i)
    EXPECT_EQ(links[i].items.size(), 5 * (i + 1));
}

TEST(MaskGrowth, TakesOnlyTheBestWhereSeveralTogetherDoTooMuch) {
  PlantedWorld world{.items = std::vector<GrowthItem>(3, {1, 0.1}), .pairs = {}};
  world.pairs = {{{0, 1}, 5}, {{0, 2}, 5}, {{1, 2}, 5}};
  const auto links = world.grown(limits(1, 3, 1, 2));
  ASSERT_EQ(links.size(), 1U);
  EXPECT_EQ(links[0].items.size(), 1U);
  EXPECT_DOUBLE_EQ(links[0].damage, 0.1);
}

TEST(MaskGrowth, NeverMeasuresMoreThanItSays) {
  for (const int steps : {1, 5, 16}) {
    for (const int remeasured : {1, 3, 8}) {
      PlantedWorld world;
      for (int i = 0; i < 40; ++i)
        world.items.push_back({0.5 + (i * 7 % 11), 0.001 * (1 + i * 13 % 17)});
      for (int i = 0; i + 1 < 40; ++i)
        world.pairs[{i, i + 1}] = 0.003 * (i % 5);
      const auto links = world.grown(limits(10, 150, steps, remeasured));
      EXPECT_LE(static_cast<int>(links.size()), steps);
      EXPECT_LE(world.measurements, steps * (remeasured + 1));
    }
  }
}

TEST(MaskGrowth, MeasuresNoMoreThanItMustWhereDamagesAddUp) {
  PlantedWorld world{.items = {{1, 0.1}, {1, 0.2}, {1, 0.3}, {1, 0.4}}, .pairs = {}};
  EXPECT_EQ(world.grown(limits(9, 4, 4, 3)).size(), 4U);
  EXPECT_EQ(world.measurements, 4);
}

TEST(MaskGrowth, ItemsThatSaveNothingAreNeverTaken) {
  PlantedWorld world{.items = {{0, 0.0}, {-1, 0.0}, {1, 0.2}}, .pairs = {}};
  const auto links = world.grown(limits(1, 10, 10, 3));
  ASSERT_EQ(links.size(), 1U);
  EXPECT_EQ(links[0].items, (std::vector<int>{2}));
}

TEST(MaskGrowth, ANumberThatIsNoneIsTooMuch) {
  const std::vector<GrowthItem> items = {{1, 0.1}, {1, 0.2}};
  const auto links = grow(items, limits(1, 10, 10, 3), [](const std::vector<int>& left_out) {
    return std::optional(left_out.back() == 0 ? NAN : 0.2);
  });
  ASSERT_TRUE(links);
  ASSERT_EQ(links->size(), 1U);
  EXPECT_EQ(links->front().items, (std::vector<int>{1}));
}

TEST(MaskGrowth, EndsWhereItIsToldTo) {
  const std::vector<GrowthItem> items(8, {1, 0.01});
  const auto measure = [](const std::vector<int>& left_out) {
    return std::optional(0.01 * static_cast<double>(left_out.size()));
  };
  const auto links = grow(items, limits(1, 8, 8, 2), measure,
                          [](const GrowthLink& link) { return link.items.size() < 3; });
  ASSERT_TRUE(links);
  EXPECT_EQ(links->size(), 3U);
}

TEST(MaskGrowth, AStopGivesNothing) {
  const std::vector<GrowthItem> items(8, {1, 0.01});
  for (int stop = 1; stop <= 4; ++stop) {
    int count = 0;
    const auto links = grow(items, limits(1, 8, 3, 2),
                            [&](const std::vector<int>& left_out) -> std::optional<double> {
                              if (++count == stop) return std::nullopt;
                              return 0.01 * static_cast<double>(left_out.size());
                            });
    EXPECT_FALSE(links) << stop;
    EXPECT_EQ(count, stop);
  }
}

}  // namespace
}  // namespace litestage
