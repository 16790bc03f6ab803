#include "app/search_forecast.h"

#include <gtest/gtest.h>

namespace litestage::app {
namespace {

SearchForecast::Clock::time_point at_second(double seconds) {
  return SearchForecast::Clock::time_point(
      std::chrono::milliseconds(static_cast<long>(1000 * seconds)));
}

TEST(SearchForecast, AtOnePaceItIsExact) {
  SearchForecast forecast(at_second(100));
  for (int i = 1; i <= 60; ++i)
    forecast.add(at_second(100 + 10 * i));
  EXPECT_DOUBLE_EQ(forecast.seconds_for(6).value(), 60);
  EXPECT_DOUBLE_EQ(forecast.seconds_for(0).value(), 0);
}

TEST(SearchForecast, SaysNothingBeforeThereIsAPace) {
  SearchForecast forecast(at_second(0));
  EXPECT_FALSE(forecast.seconds_for(10));
  for (int i = 0; i < 1000; ++i)
    forecast.add(at_second(0.001 * i));  // all from a memo
  EXPECT_FALSE(forecast.seconds_for(10));
  forecast.add(at_second(20));
  EXPECT_TRUE(forecast.seconds_for(10));
}

TEST(SearchForecast, WhatAMemoGaveIsForgotten) {
  SearchForecast forecast(at_second(0));
  for (int i = 0; i < 3000; ++i)
    forecast.add(at_second(0.001 * i));
  for (int i = 1; i <= 30; ++i)
    forecast.add(at_second(3 + 10 * i));
  EXPECT_NEAR(forecast.seconds_for(5).value(), 50, 1e-9);
}

TEST(SearchForecast, AFastEndDoesNotMakeItShorterThanAllSoFar) {
  SearchForecast forecast(at_second(0));
  for (int i = 1; i <= 60; ++i)
    forecast.add(at_second(10 * i));  // 600 seconds
  for (int i = 1; i <= 400; ++i)
    forecast.add(at_second(600 + i));  // 400 seconds
  EXPECT_NEAR(forecast.seconds_for(46).value(), 100, 1e-9) << "460 questions took 1000 seconds";
}

TEST(SearchForecast, AnswersThatComeTogetherCountTogether) {
  SearchForecast forecast(at_second(0));
  for (int burst = 1; burst <= 4; ++burst) {
    for (int i = 0; i < 8; ++i)
      forecast.add(at_second(300 * burst));
  }
  EXPECT_NEAR(forecast.seconds_for(16).value(), 600, 1e-9);
}

TEST(SearchForecast, OtherWorkHasItsOwnPace) {
  SearchForecast forecast(at_second(0));
  for (int i = 1; i <= 100; ++i)
    forecast.add(at_second(i));
  forecast.begin(at_second(100));
  EXPECT_FALSE(forecast.seconds_for(1));
  forecast.add(at_second(150));
  EXPECT_DOUBLE_EQ(forecast.seconds_for(2).value(), 100);
}

}  // namespace
}  // namespace litestage::app
