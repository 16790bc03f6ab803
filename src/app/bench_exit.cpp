#include "app/bench_exit.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

namespace litestage::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t ARMS = 4;
// The first one checks nothing.
constexpr std::array<std::optional<ConfidenceKind>, ARMS> CHECKS = {
    std::nullopt, ConfidenceKind::largest_logit, ConfidenceKind::largest_probability,
    ConfidenceKind::negative_entropy};

/// A rule that has to look at every token and never ends a text.
ExitRule watching(ConfidenceKind kind) {
  constexpr double OUT_OF_REACH = -1e9;
  ExitRule rule;
  rule.confidence = kind;
  rule.threshold = OUT_OF_REACH;
  return rule;
}

struct StepSeconds {
  double whole = 0;
  double check = 0;  ///< of it
};

double seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// The sequences of one test as they grow, and the seconds of their steps.
class CheckedSteps {
 public:
  CheckedSteps(Decoder& decoder, const BenchTest& test)
      : decoder_(decoder), test_(test), vocabulary_size_(decoder.model().vocabulary_size()) {}

  void begin() {
    decoder_.clear();
    std::vector<Token> prefix(static_cast<std::size_t>(test_.depth));
    for (Token& token : prefix)
      token = next_token();
    if (!prefix.empty()) decoder_.forward(0, prefix);
    for (SequenceId sequence = 1; sequence < test_.sequences && !prefix.empty(); ++sequence)
      decoder_.fork(0, sequence);
  }

  /// One step of all sequences.
  StepSeconds step(const std::optional<ConfidenceKind>& check) {
    batch_.clear();
    for (SequenceId sequence = 0; sequence < test_.sequences; ++sequence)
      batch_.push_back({next_token(), sequence, true});
    const Clock::time_point start = Clock::now();
    const ForwardResult result = decoder_.forward(batch_);
    const Clock::time_point computed = Clock::now();
    if (check) {
      ConfidenceWindow window(watching(*check));
      for (int row = 0; row < result.rows; ++row)
        window.add(confidence_of(result.row(row, vocabulary_size_), *check));
    }
    const Clock::time_point end = Clock::now();
    return {seconds(end - start), seconds(end - computed)};
  }

 private:
  /// Which one it is does not change the work.
  Token next_token() { return token_ = (token_ + 1) % vocabulary_size_; }

  Decoder& decoder_;
  const BenchTest& test_;
  int vocabulary_size_;
  Token token_ = 0;
  std::vector<BatchToken> batch_;
};

}  // namespace

std::vector<ExitCheck> measure_exit_checks(const std::shared_ptr<const Model>& model,
                                           const DecoderOptions& options, const BenchTest& test,
                                           int repetitions) {
  DecoderOptions sized = options;
  sized.context = test.engine_size().context;
  Decoder decoder(model, sized);
  CheckedSteps steps(decoder, test);
  std::array<std::vector<double>, ARMS> whole;
  std::array<std::vector<double>, ARMS> check;
  const int turns = std::max(1, test.generate / static_cast<int>(ARMS));
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    steps.begin();
    steps.step(std::nullopt);  // builds the graph
    for (int turn = 0; turn < turns; ++turn) {
      for (std::size_t place = 0; place < ARMS; ++place) {
        const std::size_t arm = (place + static_cast<std::size_t>(turn)) % ARMS;
        const StepSeconds step = steps.step(CHECKS[arm]);
        whole[arm].push_back(step.whole);
        check[arm].push_back(step.check);
      }
    }
  }
  std::vector<ExitCheck> checks;
  for (std::size_t arm = 1; arm < ARMS; ++arm) {
    const double mean_check = mean(check[arm]);
    checks.push_back({test, *CHECKS[arm], 1000 * mean_check, mean_check / mean(whole[0]),
                      paired_ratio(whole[arm], whole[0])});
  }
  return checks;
}

}  // namespace litestage::app
