#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "offline/budget_search.h"

namespace litestage::test {

/// What is planted for one candidate of a stage.
struct PlantedCandidate {
  double predicted_ms = 100;  ///< with texts as long as the full model's
  double text = 1;            ///< how much longer its texts are: measured is predicted times this
  double lost = 0;            ///< chance that it spoils a right question
  double gained = 0;          ///< chance that it mends a wrong one
  double damage = 0;
};

struct PlantedStage {
  std::string name;
  std::vector<PlantedCandidate> candidates;  ///< the first one leaves nothing out
};

/// Answers and times of a world that outlives a search.
struct PlantedStore {
  std::map<std::pair<Choice, int>, Trial> trials;
  std::map<Choice, TimedChoice> times;
};

/// A world of known truth. Whether a candidate spoils or mends a question is drawn once, by seed;
/// in exact worlds exactly the planted share of the right (wrong) questions is spoilt (mended).
class PlantedWorld : public SearchWorld {
 public:
  PlantedWorld(std::vector<PlantedStage> stages, int questions, double accuracy, unsigned seed = 1,
               bool exact = true);

  /// Answers from the store are free; after so many others the user asks to stop.
  void use_store(PlantedStore& store) { store_ = &store; }
  void stop_after(int answers) { answers_left_ = answers; }

  /// The candidates as a search takes them; candidate k leaves k sublayers out.
  std::vector<StageCandidates> candidates() const;
  /// The chance that a question is lost less the chance that it is gained, points.
  double true_loss(const Choice& choice) const;
  double ms(const Choice& choice) const;
  int answers() const { return answers_; }  ///< given, but for those from the store
  int timed() const { return timed_; }

  int question_count() const override { return questions_; }
  std::optional<Trial> run(const Choice& choice, int question) override;
  std::optional<TimedChoice> time(const Choice& choice, const std::vector<Trial>& trials) override;

 private:
  /// For each question whether the full model has it right, or an event of chance befalls it.
  std::vector<bool> draw(double chance, const std::vector<bool>& among, bool value) const;
  bool may_answer();

  std::vector<PlantedStage> stages_;
  int questions_;
  double accuracy_;
  bool exact_;
  mutable std::uint64_t random_;
  std::vector<bool> full_;
  std::vector<std::vector<std::vector<bool>>> events_;  // [stage][candidate][question]
  PlantedStore own_store_;
  PlantedStore* store_ = &own_store_;
  int answers_left_ = -1;  // negative: the user never asks to stop
  int answers_ = 0;
  int timed_ = 0;
};

}  // namespace litestage::test
