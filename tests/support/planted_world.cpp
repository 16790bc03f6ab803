#include "support/planted_world.h"

#include <cmath>
#include <cstdint>

namespace litestage::test {
namespace {

/// A number in [0, 1), splitmix64: the same on every platform.
double next_uniform(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  z ^= z >> 31U;
  return static_cast<double>(z >> 11U) * 0x1.0p-53;
}

}  // namespace

PlantedWorld::PlantedWorld(std::vector<PlantedStage> stages, int questions, double accuracy,
                           unsigned seed, bool exact)
    : stages_(std::move(stages)),
      questions_(questions),
      accuracy_(accuracy),
      exact_(exact),
      random_(seed) {
  full_ = draw(accuracy, std::vector<bool>(static_cast<std::size_t>(questions), true), true);
  for (const PlantedStage& stage : stages_) {
    events_.emplace_back();
    for (const PlantedCandidate& candidate : stage.candidates) {
      const std::vector<bool> lost = draw(candidate.lost, full_, true);
      const std::vector<bool> gained = draw(candidate.gained, full_, false);
      std::vector<bool> events(full_.size());
      for (std::size_t i = 0; i < full_.size(); ++i)
        events[i] = lost[i] || gained[i];
      events_.back().push_back(std::move(events));
    }
  }
}

std::vector<bool> PlantedWorld::draw(double chance, const std::vector<bool>& among,
                                     bool value) const {
  std::vector<bool> events(among.size(), false);
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < among.size(); ++i) {
    if (among[i] == value) places.push_back(i);
  }
  if (!exact_) {
    for (const std::size_t place : places)
      events[place] = next_uniform(random_) < chance;
    return events;
  }
  auto wanted = static_cast<std::size_t>(std::lround(chance * static_cast<double>(places.size())));
  for (; wanted > 0; --wanted) {
    const auto at =
        static_cast<std::size_t>(next_uniform(random_) * static_cast<double>(places.size()));
    events[places[at]] = true;
    places.erase(places.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return events;
}

std::vector<StageCandidates> PlantedWorld::candidates() const {
  std::vector<StageCandidates> all;
  for (const PlantedStage& stage : stages_) {
    all.push_back({stage.name, {}});
    for (std::size_t k = 0; k < stage.candidates.size(); ++k) {
      SublayerMask mask;
      for (std::size_t layer = 0; layer < k; ++layer)
        mask.skip(Sublayer::ffn, static_cast<int>(layer) + 2);
      all.back().candidates.push_back(
          {StageSettings::with_mask(mask), std::to_string(k) + " sublayers",
           stage.candidates[k].predicted_ms, stage.candidates[k].damage});
    }
  }
  return all;
}

double PlantedWorld::true_loss(const Choice& choice) const {
  double kept = 1;
  double not_mended = 1;
  for (std::size_t stage = 0; stage < choice.size(); ++stage) {
    const auto& candidate = stages_[stage].candidates[static_cast<std::size_t>(choice[stage])];
    kept *= 1 - candidate.lost;
    not_mended *= 1 - candidate.gained;
  }
  return 100 * (accuracy_ * (1 - kept) - (1 - accuracy_) * (1 - not_mended));
}

double PlantedWorld::ms(const Choice& choice) const {
  double sum = 0;
  for (std::size_t stage = 0; stage < choice.size(); ++stage) {
    const auto& candidate = stages_[stage].candidates[static_cast<std::size_t>(choice[stage])];
    sum += candidate.predicted_ms * candidate.text;
  }
  return sum;
}

bool PlantedWorld::may_answer() {
  if (answers_left_ == 0) return false;
  if (answers_left_ > 0) --answers_left_;
  ++answers_;
  return true;
}

std::optional<Trial> PlantedWorld::run(const Choice& choice, int question) {
  const auto found = store_->trials.find({choice, question});
  if (found != store_->trials.end()) return found->second;
  if (!may_answer()) return std::nullopt;
  const auto place = static_cast<std::size_t>(question);
  Trial trial;
  bool changed = false;
  for (std::size_t stage = 0; stage < choice.size(); ++stage) {
    const auto index = static_cast<std::size_t>(choice[stage]);
    changed = changed || events_[stage][index][place];
    trial.read.push_back(50);
    trial.written.push_back(
        static_cast<int>(std::lround(100 * stages_[stage].candidates[index].text)));
  }
  trial.correct = full_[place] != changed;
  store_->trials[{choice, question}] = trial;
  return trial;
}

std::optional<TimedChoice> PlantedWorld::time(const Choice& choice,
                                              const std::vector<Trial>& trials) {
  const auto found = store_->times.find(choice);
  if (found != store_->times.end()) return found->second;
  if (static_cast<int>(trials.size()) != questions_ || !may_answer()) return std::nullopt;
  ++timed_;
  TimedChoice time;
  time.ms = ms(choice);
  time.ms_error = time.ms / 100;
  for (std::size_t stage = 0; stage < choice.size(); ++stage) {
    const auto& candidate = stages_[stage].candidates[static_cast<std::size_t>(choice[stage])];
    time.stage_ms.push_back(candidate.predicted_ms * candidate.text);
  }
  store_->times[choice] = time;
  return time;
}

}  // namespace litestage::test
