#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/program.h"
#include "litestage/question.h"
#include "offline/stage_trace.h"
#include "support/decoder_tools.h"

namespace litestage::test {

/// Three stages: recall writes, analyze writes a text for each option, answer chooses by logits.
std::string_view calibration_program();
/// The same with an early answer: as a file, and read.
std::string early_answer_program_text();
Program calibration_program_with_early_answer();
/// Two questions with two options each, for that program.
std::vector<Question> calibration_questions();

/// A tiny random model with room for the program and a decoder on it.
struct Calibration {
  explicit Calibration(const TinyModel& model = TinyModel(TinyOptions{}));

  LoadedTiny tiny;
  Decoder decoder;
  Program program;
};

/// The traces of all questions, in a cache that is empty before and after.
std::vector<StageTrace> record_traces(Calibration& tiny, const std::vector<Question>& questions,
                                      const TraceMemo& memo = {});

}  // namespace litestage::test
