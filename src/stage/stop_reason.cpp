#include "litestage/pipeline.h"

namespace litestage {

std::string to_string(StopReason reason) {
  switch (reason) {
    case StopReason::end_of_text:
      return "end_of_text";
    case StopReason::stop_string:
      return "stop_string";
    case StopReason::max_tokens:
      return "max_tokens";
    case StopReason::choice:
      return "choice";
    case StopReason::grammar:
      return "grammar";
    case StopReason::low_confidence:
      return "low_confidence";
    case StopReason::answer_complete:
      return "answer_complete";
    case StopReason::repetition:
      return "repetition";
    case StopReason::budget:
      return "budget";
    case StopReason::sure:
      return "sure";
    case StopReason::interrupted:
      return "interrupted";
  }
  return "";
}

std::optional<StopReason> parse_stop_reason(std::string_view name) {
  for (int value = 0; value <= static_cast<int>(StopReason::interrupted); ++value) {
    const auto reason = static_cast<StopReason>(value);
    if (to_string(reason) == name) return reason;
  }
  return std::nullopt;
}

}  // namespace litestage
