#include "serve/narrator.h"

#include <utility>

#include <fmt/format.h>

namespace litestage::serve {
namespace {

constexpr std::string_view BLANKS = " \t\r\n\v\f";

std::string label(const std::string& stage, const std::string& option) {
  return option.empty() ? stage + ": " : fmt::format("{} ({}): ", stage, option);
}

}  // namespace

std::string TrimmedText::add(std::string_view piece) {
  if (!begun_) {
    const std::size_t first = piece.find_first_not_of(BLANKS);
    if (first == std::string_view::npos) return {};
    piece.remove_prefix(first);
    begun_ = true;
  }
  const std::size_t last = piece.find_last_not_of(BLANKS);
  if (last == std::string_view::npos) {
    blanks_ += piece;
    return {};
  }
  std::string shown = std::exchange(blanks_, std::string(piece.substr(last + 1)));
  shown += piece.substr(0, last + 1);
  return shown;
}

Narrator::Narrator(const Program& program, Sink sink)
    : answer_stage_(program.answer_stage), sink_(std::move(sink)) {}

void Narrator::on_stage_begin(const std::string& stage, const std::vector<std::string>& options) {
  text_ = {};
  if (!is_answer(stage)) sink_(Part::reasoning, label(stage, options.empty() ? "" : options[0]));
}

void Narrator::on_text(const std::string& stage, int branch, std::string_view piece) {
  if (branch != 0) return;
  const std::string shown = text_.add(piece);
  if (!shown.empty()) sink_(is_answer(stage) ? Part::content : Part::reasoning, shown);
}

void Narrator::on_stage_end(const std::vector<StageRecord>& records) {
  if (is_answer(records[0].name)) return;
  if (records[0].stop_reason == StopReason::sure) {
    sink_(Part::reasoning, "\n");
    sink_(Part::content, records[0].text);
    return;
  }
  for (std::size_t i = 1; i < records.size(); ++i)
    sink_(Part::reasoning, "\n" + label(records[i].name, records[i].option) + records[i].text);
  sink_(Part::reasoning, "\n");
}

}  // namespace litestage::serve
