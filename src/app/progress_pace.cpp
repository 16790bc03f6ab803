#include "app/progress_pace.h"

namespace litestage::app {

bool ProgressPace::due(Clock::time_point now, std::uint64_t done, std::uint64_t total) {
  constexpr auto LEAST = std::chrono::seconds(5);
  constexpr auto MOST = std::chrono::seconds(30);
  const auto silent = now - last_line_;
  if (silent < LEAST || (total > 0 && done >= total)) return false;
  const std::uint64_t tenths = total > 0 ? done * 10 / total : 0;
  if (tenths <= tenths_ && silent < MOST) return false;
  tenths_ = tenths;
  written(now);
  return true;
}

}  // namespace litestage::app
