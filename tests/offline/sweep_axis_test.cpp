#include "offline/sweep_axis.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace litestage {
namespace {

constexpr int AXIS_LAYERS = 60;
constexpr double LEAST_AXIS = 340;
constexpr double MOST_AXIS = 1120;
constexpr double AXIS_MARK = 17;  ///< width of the largest mark

StageSettings axis_masks(const std::string& reading, const std::string& writing) {
  return {SublayerMask::parse(reading, AXIS_LAYERS), SublayerMask::parse(writing, AXIS_LAYERS), {}};
}

StageSettings first_ffns(int count) {
  const std::string mask = count == 0 ? "none" : "f0-" + std::to_string(count - 1);
  return axis_masks(mask, mask);
}

TEST(LeftOut, CountsEachSublayerOnce) {
  const LeftOut both = left_out(axis_masks("f1-3", "f2-4,a2"));
  EXPECT_EQ(both.sublayers, 5U);
  EXPECT_EQ(both.attention, 1U);
  EXPECT_TRUE(both.reading && both.writing);
  const LeftOut writing = left_out(axis_masks("none", "a0,f59"));
  EXPECT_EQ(writing.sublayers, 2U);
  EXPECT_FALSE(writing.reading);
  EXPECT_TRUE(writing.writing);
  EXPECT_EQ(left_out({}).sublayers, 0U);
}

TEST(SweepAxis, DistancesAreThoseOfNumbers) {
  const std::vector<StageSettings> settings = {first_ffns(0), first_ffns(8), first_ffns(2),
                                               first_ffns(3)};
  const SweepAxis axis = sweep_axis(settings, LEAST_AXIS, MOST_AXIS);
  EXPECT_TRUE(axis.counts);
  const std::vector<double>& at = axis.places;
  const double unit = (at[1] - at[0]) / 8;
  EXPECT_GT(unit, 0);
  EXPECT_NEAR(at[2] - at[0], 2 * unit, 1e-9);
  EXPECT_NEAR(at[3] - at[0], 3 * unit, 1e-9);
  ASSERT_EQ(axis.ticks.size(), 4U);
  EXPECT_EQ(axis.ticks[3].sublayers, 8U);
  EXPECT_DOUBLE_EQ(axis.ticks[3].at, at[1]);
  EXPECT_GE(axis.width, LEAST_AXIS);
}

TEST(SweepAxis, EqualNumbersStandSideBySide) {
  const std::vector<StageSettings> settings = {
      axis_masks("none", "none"), axis_masks("f1-2", "none"), axis_masks("none", "f1-2"),
      axis_masks("f1,a2", "f1,a2"), first_ffns(3)};
  const SweepAxis axis = sweep_axis(settings, LEAST_AXIS, MOST_AXIS);
  ASSERT_EQ(axis.ticks.size(), 3U);
  EXPECT_EQ(axis.ticks[1].sublayers, 2U);
  EXPECT_GT(axis.places[2] - axis.places[1], AXIS_MARK);
  EXPECT_GT(axis.places[3] - axis.places[2], AXIS_MARK);
  EXPECT_DOUBLE_EQ(axis.places[2], axis.ticks[1].at);
  EXPECT_GT(axis.places[4] - axis.places[3], AXIS_MARK) << "three are right of all that are two";
}

TEST(SweepAxis, WhereMasksDoNotDifferCandidatesFollowEachOther) {
  std::vector<StageSettings> settings(3, first_ffns(2));
  settings[0] = {};
  settings[2].exit.max_tokens = 5;
  const SweepAxis axis = sweep_axis(settings, LEAST_AXIS, MOST_AXIS);
  EXPECT_FALSE(axis.counts);
  EXPECT_TRUE(axis.ticks.empty());
  EXPECT_DOUBLE_EQ(axis.places[1] - axis.places[0], axis.places[2] - axis.places[1]);
}

TEST(SweepAxis, OneCandidateHasAPlace) {
  for (const int count : {0, 5}) {
    const SweepAxis axis = sweep_axis(std::vector{first_ffns(count)}, LEAST_AXIS, MOST_AXIS);
    EXPECT_GE(axis.places[0], AXIS_MARK / 2);
    EXPECT_LE(axis.places[0], axis.width - AXIS_MARK / 2);
  }
}

RC_GTEST_PROP(SweepAxis, MarksNeitherOverlapNorLeaveIt, ()) {
  const auto counts =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, AXIS_LAYERS)));
  std::vector<StageSettings> settings;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    settings.push_back(first_ffns(counts[i]));
    const auto layer = static_cast<int>(i % AXIS_LAYERS);  // so that masks differ
    settings.back().decode.skip(Sublayer::attention, layer);
  }
  constexpr double WIDE_ENOUGH = 1e6;
  const SweepAxis roomy = sweep_axis(settings, LEAST_AXIS, WIDE_ENOUGH);
  std::vector<double> places = roomy.places;
  std::ranges::sort(places);
  for (std::size_t i = 1; i < places.size(); ++i)
    RC_ASSERT(places[i] - places[i - 1] > AXIS_MARK);
  for (const SweepAxis& axis : {roomy, sweep_axis(settings, LEAST_AXIS, MOST_AXIS)}) {
    for (const double place : axis.places)
      RC_ASSERT(std::isfinite(place));
  }
  RC_ASSERT(places.front() > AXIS_MARK / 2);
  RC_ASSERT(places.back() < roomy.width - AXIS_MARK / 2);
  if (masks_differ(settings))
    RC_ASSERT(sweep_axis(settings, LEAST_AXIS, MOST_AXIS).width <= MOST_AXIS);
}

}  // namespace
}  // namespace litestage
