#include "app/search_forecast.h"

#include <algorithm>

namespace litestage::app {
namespace {

constexpr auto FORECAST_WINDOW = std::chrono::minutes(2);
constexpr auto BETWEEN_SAMPLES = std::chrono::seconds(1);
constexpr double LEAST_SECONDS = 5;  ///< before a pace is believed

}  // namespace

void SearchForecast::begin(Clock::time_point now) {
  begin_ = last_ = {now, 0};
  recent_ = {begin_};
}

void SearchForecast::add(Clock::time_point now) {
  last_ = {now, last_.answered + 1};
  if (recent_.size() > 1 && now - recent_.back().time < BETWEEN_SAMPLES) {
    recent_.back().answered = last_.answered;
  } else {
    recent_.push_back(last_);
  }
  while (recent_.size() > 2 && now - recent_[1].time >= FORECAST_WINDOW)
    recent_.pop_front();
}

std::optional<double> SearchForecast::seconds_for(long questions) const {
  const auto seconds_a_question = [this](const Sample& from) {
    const std::chrono::duration<double> span = last_.time - from.time;
    return span.count() / static_cast<double>(last_.answered - from.answered);
  };
  const std::chrono::duration<double> all = last_.time - begin_.time;
  if (all.count() < LEAST_SECONDS || last_.answered == 0) return std::nullopt;
  double pace = seconds_a_question(begin_);
  const Sample& front = recent_.front();
  if (last_.answered > front.answered) pace = std::max(pace, seconds_a_question(front));
  return pace * static_cast<double>(questions);
}

}  // namespace litestage::app
