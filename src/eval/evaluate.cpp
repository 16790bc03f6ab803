#include "eval/evaluate.h"

#include <cassert>
#include <chrono>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/shuffle.h"
#include "eval/eval_file.h"
#include "litestage/error.h"

namespace litestage {
namespace {

constexpr double MS_A_SECOND = 1000;

/// One answer that is not in the file yet.
struct Work {
  const Question* question;
  int arm;
  bool timed;
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
                            const Answered& known, const std::string& path, std::size_t timed) {
  std::vector<Work> work;
  for (const EvalTask& task : tasks) {
    std::vector<int> arms;
    for (std::size_t arm = 0; arm < header.arms.size(); ++arm) {
      if (header.arms[arm].task == task.name) arms.push_back(static_cast<int>(arm));
    }
    for (std::size_t i = 0; i < task.questions.size(); ++i) {
      const Question& question = task.questions[i];
      for (const int arm : turns(arms, question, header.seed)) {
        if (!is_answered(known, arm, question, path)) work.push_back({&question, arm, i < timed});
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

EvalRecord record_of(QuestionRecord&& answer, int arm, bool timed) {
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
  if (timed) {
    record.total_ms = answer.total_ms;
    return record;
  }
  for (EvalStage& stage : record.stages)
    stage.prefill_ms = stage.decode_ms = 0;
  return record;
}

/// Tells how long the work that is left will take.
class Forecast {
 public:
  Forecast(const EvalRun& run, const std::vector<Work>& work) {
    for (const EvalRecord& record : run.records) {
      if (record.timed()) count({record.arm, true}, record.total_ms / MS_A_SECOND);
    }
    for (const Work& one : work)
      ++kinds_[{one.arm, one.timed}].left;
  }

  /// @param seconds that it took, or since the one before it where several are at work
  void add(const EvalRecord& record, double seconds) {
    const Kind kind{record.arm, record.timed()};
    count(kind, seconds);
    --kinds_[kind].left;
  }

  /// What was not met yet is thought to be as slow as the arm's others, or as all others.
  double seconds_left() const {
    Past all;
    std::map<int, Past> of_arm;
    for (const auto& [kind, past] : kinds_) {
      all.add(past);
      of_arm[kind.first].add(past);
    }
    if (all.answers == 0) return 0;
    double sum = 0;
    for (const auto& [kind, past] : kinds_) {
      const Past& arm = of_arm[kind.first];
      sum += past.left * (past.answers > 0 ? past : arm.answers > 0 ? arm : all).mean();
    }
    return sum;
  }

 private:
  using Kind = std::pair<int, bool>;  // arm, timed
  struct Past {
    double seconds = 0;
    int answers = 0;
    int left = 0;

    double mean() const { return seconds / answers; }
    void add(const Past& other) {
      seconds += other.seconds;
      answers += other.answers;
    }
  };

  void count(const Kind& kind, double seconds) {
    kinds_[kind].seconds += seconds;
    ++kinds_[kind].answers;
  }

  std::map<Kind, Past> kinds_;
};

/// Puts records into the file and tells how far it is.
class Ledger {
 public:
  Ledger(EvalFile& file, const std::vector<Work>& work,
         const std::function<void(const EvalProgress&)>& progress)
      : file_(file),
        progress_(progress),
        forecast_(file.run(), work),
        total_(static_cast<int>(file.run().records.size() + work.size())) {
    tell();
  }

  void add(EvalRecord record) {
    const Clock::time_point now = Clock::now();
    forecast_.add(record, record.timed() ? record.total_ms / MS_A_SECOND
                                         : std::chrono::duration<double>(now - last_).count());
    last_ = now;
    file_.append(std::move(record));
    tell();
  }

 private:
  void tell() const {
    const auto done = static_cast<int>(file_.run().records.size());
    if (progress_) progress_({&file_.run(), done, total_, forecast_.seconds_left()});
  }

  using Clock = std::chrono::steady_clock;

  EvalFile& file_;
  const std::function<void(const EvalProgress&)>& progress_;
  Forecast forecast_;
  int total_;
  Clock::time_point last_ = Clock::now();
};

/// Who answers, and how.
struct ArmAnswerers {
  const std::vector<Pipeline*>& pipelines;
  const UntimedPart* untimed;
  const std::atomic<bool>* stop;

  bool stopped() const { return stop != nullptr && stop->load(); }
};
using TakeRecord = std::function<void(EvalRecord)>;

/// One question at a time, by the pipelines. @return false when it was stopped
bool answer_timed(const std::vector<Work>& work, const ArmAnswerers& who, const TakeRecord& take) {
  std::set<int> warm;
  for (const Work& one : work) {
    if (!one.timed) continue;
    Pipeline& pipeline = *who.pipelines[static_cast<std::size_t>(one.arm)];
    if (who.stopped()) return false;
    // A stop in the first, unrecorded answer shows again in the second.
    if (warm.insert(one.arm).second) pipeline.answer(*one.question, nullptr, who.stop);
    QuestionRecord answer = pipeline.answer(*one.question, nullptr, who.stop);
    if (answer.interrupted) return false;
    take(record_of(std::move(answer), one.arm, true));
  }
  return true;
}

/// Some questions by one arm, several at a time. @return false when it was stopped
bool answer_portion(int arm, const std::vector<const Question*>& questions, const ArmAnswerers& who,
                    const TakeRecord& take) {
  std::vector<bool> is_answered(questions.size());
  who.untimed->answer(
      arm, questions,
      [&](std::size_t place, QuestionRecord&& answer) {
        is_answered[place] = true;
        take(record_of(std::move(answer), arm, false));
      },
      who.stop);
  for (std::size_t i = 0; i < questions.size(); ++i) {
    if (is_answered[i]) continue;
    if (who.stopped()) return false;
    Pipeline& alone = *who.pipelines[static_cast<std::size_t>(arm)];
    QuestionRecord answer = alone.answer(*questions[i], nullptr, who.stop);
    if (answer.interrupted) return false;
    take(record_of(std::move(answer), arm, false));
  }
  return true;
}

/// The questions that bear no times: portion after portion, each by all its arms, so that a run
/// that is stopped has about the same questions of all. @return false when it was stopped
bool answer_untimed(const std::vector<Work>& work, const ArmAnswerers& who,
                    const TakeRecord& take) {
  std::map<int, std::vector<const Question*>> by_arm;
  const auto answer_them = [&] {
    for (const auto& [arm, questions] : by_arm) {
      if (!answer_portion(arm, questions, who, take)) return false;
    }
    by_arm.clear();
    return true;
  };
  int in_portion = 0;
  const Question* at = nullptr;
  for (const Work& one : work) {
    if (one.timed) continue;
    if (one.question != at && in_portion++ == who.untimed->portion) {
      if (!answer_them()) return false;
      in_portion = 1;
    }
    at = one.question;
    by_arm[one.arm].push_back(one.question);
  }
  return answer_them();
}

/// All of the work. @return false when it was stopped
bool answer_all(const std::vector<Work>& work, const ArmAnswerers& who, const TakeRecord& take) {
  return answer_timed(work, who, take) && answer_untimed(work, who, take);
}

/// One rank's part: whole questions, dealt one by one.
std::vector<Work> share_of(const std::vector<Work>& work, const Ranks& ranks) {
  std::vector<Work> own;
  int dealt = -1;
  const Question* at = nullptr;
  for (const Work& one : work) {
    if (one.question != at) ++dealt;
    at = one.question;
    if (dealt % ranks.size() == ranks.rank()) own.push_back(one);
  }
  return own;
}

// What ranks send to the first one: a record as its line, or one of these.
const std::string DONE = "done";
const std::string STOPPED = "stopped";

/// The first rank's own share, and the records that come from the others meanwhile and after it.
bool answer_as_first(const std::vector<Work>& work, const EvalHeader& header,
                     const ArmAnswerers& who, Ranks& ranks, Ledger& ledger) {
  bool whole = true;
  int left = ranks.size() - 1;
  const std::string first_line = to_json_line(header) + "\n";
  const auto take = [&](const std::string& text) {
    left -= text == DONE || text == STOPPED ? 1 : 0;
    whole = whole && text != STOPPED;
    if (text == DONE || text == STOPPED) return;
    ledger.add(parse_eval_run(first_line + text + "\n", "a record from another rank").records[0]);
  };
  const bool own = answer_all(share_of(work, ranks), who, [&](EvalRecord record) {
    ledger.add(std::move(record));
    while (const auto text = ranks.hear(false))
      take(*text);
  });
  while (left > 0)
    take(*ranks.hear(true));
  return own && whole;
}

/// What the first rank knows and the others must: its header, and what is answered.
std::string opening(const EvalHeader& header, const Answered& known) {
  nlohmann::json answered = nlohmann::json::array();
  for (const auto& [key, hash] : known)
    answered.push_back({key.first, key.second, hash});
  return to_json_line(header) + "\n" + answered.dump();
}

/// @throws UserError when this rank evaluates something else
Answered read_opening(const std::string& text, EvalHeader header) {
  const std::size_t end = text.find('\n') + 1;
  const EvalHeader first = parse_eval_run(text.substr(0, end), "the first rank").header;
  header.machine = first.machine;  // a question's arms are compared on one machine, whichever it is
  const std::string difference =
      header_difference(first, parse_eval_run(to_json_line(header) + "\n", "header").header);
  if (!difference.empty()) {
    throw UserError("rank", "it evaluates something else than the first rank: " + difference,
                    "give all ranks the same files and the same litestage");
  }
  Answered known;
  for (const nlohmann::json& entry : nlohmann::json::parse(text.substr(end)))
    known.emplace(std::pair(entry.at(0).get<int>(), entry.at(1).get<std::string>()),
                  entry.at(2).get<std::string>());
  return known;
}

}  // namespace

EvalOutcome evaluate(const EvalHeader& header, const std::vector<Pipeline*>& pipelines,
                     const std::vector<EvalTask>& tasks, const std::string& path,
                     const std::function<void(const EvalProgress&)>& progress,
                     const std::atomic<bool>* stop, const UntimedPart* untimed, Ranks* ranks) {
  assert(pipelines.size() == header.arms.size());
  check(header, pipelines, tasks);
  const ArmAnswerers who{pipelines, untimed, stop};
  const std::size_t timed =
      untimed == nullptr ? std::numeric_limits<std::size_t>::max() : untimed->timed;
  if (!is_first(ranks)) {
    const Answered known = read_opening(ranks->from_first(""), header);
    const std::vector<Work> own = share_of(work_left(header, tasks, known, path, timed), *ranks);
    const bool whole = answer_all(
        own, who, [&](const EvalRecord& record) { ranks->tell_first(to_json_line(record)); });
    ranks->tell_first(whole ? DONE : STOPPED);
    return {{}, !whole};
  }
  EvalFile file(path, header);
  const Answered known = answered(file.run());
  const std::vector<Work> work = work_left(header, tasks, known, path, timed);
  if (ranks != nullptr) ranks->from_first(opening(header, known));
  Ledger ledger(file, work, progress);
  const bool whole =
      ranks != nullptr
          ? answer_as_first(work, header, who, *ranks, ledger)
          : answer_all(work, who, [&](EvalRecord record) { ledger.add(std::move(record)); });
  return {file.run(), !whole};
}

}  // namespace litestage
