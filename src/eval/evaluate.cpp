#include "eval/evaluate.h"

#include <cassert>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/shuffle.h"
#include "eval/eval_file.h"
#include "litestage/error.h"

namespace litestage {
namespace {

/// One answer that is not in the file yet.
struct Work {
  const Question* question;
  int arm;
};

/// The arms of a task in the order of one question. That depends on the seed and on what is asked
/// alone: a call that goes on takes the same turns.
std::vector<int> turns(std::vector<int> arms, const Question& question, std::uint32_t seed) {
  constexpr std::size_t WORD_DIGITS = 8;
  constexpr int HEXADECIMAL = 16;
  const std::string digits = question_hash(question).substr(0, WORD_DIGITS);
  shuffle(arms, seed ^ static_cast<std::uint32_t>(std::stoul(digits, nullptr, HEXADECIMAL)));
  return arms;
}

/// What the file has already, by arm and id.
using Answered = std::map<std::pair<int, std::string>, std::string>;  // -> hash

Answered answered(const EvalRun& run) {
  Answered known;
  for (const EvalRecord& record : run.records)
    known.emplace(std::pair(record.arm, record.id), record.question_hash);
  return known;
}

bool is_answered(const Answered& known, int arm, const Question& question,
                 const std::string& path) {
  const auto found = known.find({arm, question.id});
  if (found == known.end()) return false;
  if (found->second == question_hash(question)) return true;
  throw UserError("question " + question.id,
                  fmt::format("{} has another question of that id", path),
                  "evaluate on the set the file was begun with, or name another file");
}

std::vector<Work> work_left(const EvalHeader& header, const std::vector<EvalTask>& tasks,
                            const Answered& known, const std::string& path) {
  std::vector<Work> work;
  for (const EvalTask& task : tasks) {
    std::vector<int> arms;
    for (std::size_t arm = 0; arm < header.arms.size(); ++arm) {
      if (header.arms[arm].task == task.name) arms.push_back(static_cast<int>(arm));
    }
    for (const Question& question : task.questions) {
      for (const int arm : turns(arms, question, header.seed)) {
        if (!is_answered(known, arm, question, path)) work.push_back({&question, arm});
      }
    }
  }
  return work;
}

/// Whether every question can be asked and judged, so that no run ends halfway by one of them.
void check(const EvalHeader& header, const std::vector<Pipeline*>& pipelines,
           const std::vector<EvalTask>& tasks) {
  for (const EvalTask& task : tasks) {
    for (const Question& question : task.questions) {
      if (question.gold.empty()) {
        throw UserError("question " + question.id, "has no right answer to compare with",
                        "an evaluation needs a set with answers");
      }
      for (std::size_t arm = 0; arm < pipelines.size(); ++arm) {
        if (header.arms[arm].task == task.name) pipelines[arm]->check(question);
      }
    }
  }
}

EvalRecord record_of(QuestionRecord&& answer, int arm) {
  EvalRecord record;
  record.arm = arm;
  record.question_hash = question_hash(answer.question);
  record.correct = is_correct(answer.question, answer.answer);
  record.id = std::move(answer.question.id);
  record.question = std::move(answer.question.text);
  record.options = std::move(answer.question.options);
  record.gold = std::move(answer.question.gold);
  record.prediction = std::move(answer.answer);
  record.stages = std::move(answer.stages);
  record.total_ms = answer.total_ms;
  return record;
}

/// Tells how long the work that is left will take.
class Forecast {
 public:
  Forecast(const EvalRun& run, const std::vector<Work>& work)
      : seconds_(run.header.arms.size()), answers_(seconds_.size()), left_(seconds_.size()) {
    for (const EvalRecord& record : run.records)
      count(record);
    for (const Work& one : work)
      ++left_[static_cast<std::size_t>(one.arm)];
  }

  void add(const EvalRecord& record) {
    count(record);
    --left_[static_cast<std::size_t>(record.arm)];
  }

  double seconds_left() const {
    double all_seconds = 0;
    int all_answers = 0;
    for (std::size_t arm = 0; arm < seconds_.size(); ++arm) {
      all_seconds += seconds_[arm];
      all_answers += answers_[arm];
    }
    if (all_answers == 0) return 0;
    double sum = 0;
    for (std::size_t arm = 0; arm < seconds_.size(); ++arm) {
      const double mean =
          answers_[arm] > 0 ? seconds_[arm] / answers_[arm] : all_seconds / all_answers;
      sum += left_[arm] * mean;
    }
    return sum;
  }

 private:
  void count(const EvalRecord& record) {
    constexpr double MS_A_SECOND = 1000;
    seconds_[static_cast<std::size_t>(record.arm)] += record.total_ms / MS_A_SECOND;
    ++answers_[static_cast<std::size_t>(record.arm)];
  }

  // By arm.
  std::vector<double> seconds_;
  std::vector<int> answers_;
  std::vector<int> left_;
};

}  // namespace

EvalOutcome evaluate(const EvalHeader& header, const std::vector<Pipeline*>& pipelines,
                     const std::vector<EvalTask>& tasks, const std::string& path,
                     const std::function<void(const EvalProgress&)>& progress,
                     const std::atomic<bool>* stop) {
  assert(pipelines.size() == header.arms.size());
  check(header, pipelines, tasks);
  EvalFile file(path, header);
  const std::vector<Work> work = work_left(header, tasks, answered(file.run()), path);
  const auto pipeline_of = [&](const Work& one) -> Pipeline& {
    return *pipelines[static_cast<std::size_t>(one.arm)];
  };

  Forecast forecast(file.run(), work);
  const auto total = static_cast<int>(file.run().records.size() + work.size());
  const auto tell = [&] {
    const auto done = static_cast<int>(file.run().records.size());
    if (progress) progress({&file.run(), done, total, forecast.seconds_left()});
  };
  tell();
  std::set<int> warm;
  for (const Work& one : work) {
    if (stop != nullptr && stop->load()) return {file.run(), true};
    // A stop in the first, unrecorded answer shows again in the second.
    if (warm.insert(one.arm).second) pipeline_of(one).answer(*one.question, nullptr, stop);
    QuestionRecord answer = pipeline_of(one).answer(*one.question, nullptr, stop);
    if (answer.interrupted) return {file.run(), true};
    EvalRecord record = record_of(std::move(answer), one.arm);
    forecast.add(record);
    file.append(std::move(record));
    tell();
  }
  return {file.run(), false};
}

}  // namespace litestage
