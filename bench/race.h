#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/model_options.h"
#include "litestage/dataset.h"
#include "litestage/decoder.h"
#include "litestage/plan.h"
#include "litestage/program.h"

namespace litestage::bench {

/// Who answers the questions of a race.
enum class Racer {
  libllama,   ///< llama_decode, driven by our stages: prefixes kept, branches forked, one batch
  litestage,  ///< our decoder, nothing left out, the whole head
  head,       ///< the same with the preview of the head, where there is one
  plan,       ///< as the plan says, with that preview
  merged,     ///< nothing left out, branches merged, with that preview
  early,      ///< as `plan`, with early answers
  all,        ///< as `early`, branches merged
};

inline constexpr std::array<Racer, 7> RACERS = {Racer::libllama, Racer::litestage, Racer::head,
                                                Racer::plan,     Racer::merged,    Racer::early,
                                                Racer::all};

const std::string& to_string(Racer racer);

struct RaceSettings {
  app::ModelArguments model;
  DecoderOptions decoder;
  std::string program;
  std::vector<std::string> questions;  ///< paths of the sets
  DatasetOptions dataset;
  std::string plan;    ///< path; empty: nobody runs by a plan
  EarlyAnswers early;  ///< what the racer of that name does
  bool merge = false;  ///< whether there are racers that merge branches
  int repeats = 1;
  bool json = false;
  std::string output;         ///< file for the result and every question's records; empty: none
  std::optional<Racer> only;  ///< answer the first question alone, to measure the memory
};

/// What one racer did with one question: all figures are means of the repeats.
struct RacedQuestion {
  std::string answer;  ///< of the first repeat
  bool correct = false;
  double ms = 0;
  double read_tokens = 0;  ///< without those known already
  double written_tokens = 0;
  double read_ms = 0;   ///< all stages' reading
  double write_ms = 0;  ///< all stages' writing
};

/// What one racer did, in the questions' order.
struct RacerResult {
  Racer racer = Racer::libllama;
  std::vector<RacedQuestion> questions = {};
  double peak_bytes = 0;  ///< of a process that runs this racer alone; 0: not measured
};

/// Everything a race needs, loaded once.
class Race {
 public:
  /// @throws UserError for anything that cannot be loaded or does not go together
  explicit Race(const RaceSettings& settings);
  ~Race();
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;

  std::vector<Racer> racers() const;
  const std::vector<Question>& questions() const;
  const Model& model() const;
  /// Whether libllama runs with flash attention: whatever was faster for the first question.
  bool libllama_flash() const;

  /// All racers answer every question, one after the other, in an order that turns from question to
  /// question. Nothing when it was interrupted.
  /// @param progress questions done, of all
  std::optional<std::vector<RacerResult>> run(const std::function<void(int, int)>& progress);

  /// One racer answers the first question. @return false when it does not take part
  bool run_first(Racer racer);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace litestage::bench
