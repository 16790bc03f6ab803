#include "offline/shared_answers.h"

#include <chrono>
#include <functional>
#include <future>
#include <mutex>
#include <span>
#include <utility>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "litestage/error.h"

namespace litestage {
namespace {

using Json = nlohmann::json;

// What ranks tell the first one: a stage's outcome, or that their part of a portion is done.
const std::string ALL_DONE = "done";
// What the first one says instead of an opening or a portion.
const std::string LET_GO;

constexpr std::chrono::milliseconds TURN{20};

std::string packed(const Json& json) {
  std::string text;
  Json::to_msgpack(json, text);
  return text;
}

Json entry_json(const StageStore::Entry& entry) {
  return Json::array({entry.key, Json::binary(entry.outcome)});
}

StageStore::Entry read_entry(const Json& json) {
  return {json.at(0).get<std::string>(), json.at(1).get_binary()};
}

/// What is compared between ranks.
Json identity(const SharedSearch& shared) {
  Json questions = Json::array();
  for (const Question& question : shared.questions)
    questions.push_back(question_hash(question));
  return {{"model", shared.model_hash},
          {"program", shared.program.hash},
          {"question set", questions},
          {"set of flags", shared.engine}};
}

/// A plan as it is handed out: whole, with what does not change the answers filled in.
Json portion_json(Plan plan, const SharedSearch& shared, const std::vector<std::size_t>& asked) {
  plan.model_name = plan.program = "shared";
  plan.model_hash = shared.model_hash;
  plan.layers = shared.layers;
  plan.program_hash = shared.program.hash;
  for (const Stage& stage : shared.program.stages) {
    if (plan.find(stage.name) == nullptr) plan.stages.emplace_back(stage.name, StageSettings{});
  }
  return {{"plan", to_json(plan)}, {"questions", asked}};
}

std::vector<Question> share_of(const std::vector<std::size_t>& asked, const Ranks& ranks,
                               const std::vector<Question>& all) {
  std::vector<Question> own;
  for (const std::size_t index : asked) {
    if (index % static_cast<std::size_t>(ranks.size()) == static_cast<std::size_t>(ranks.rank()))
      own.push_back(all.at(index));
  }
  return own;
}

/// Answers on threads of its own, and lets this one, which alone may speak to other ranks, do so
/// meanwhile.
void answer_and_talk(PoolAnswers& answers, const Plan& plan, std::span<const Question> questions,
                     const std::atomic<bool>* stop, const std::function<void()>& talk) {
  std::future<void> work =
      std::async(std::launch::async, [&] { answers.answer(plan, questions, stop); });
  while (work.wait_for(TURN) != std::future_status::ready)
    talk();
  work.get();
  talk();
}

/// Outcomes on their way to the first rank.
class Outbox {
 public:
  void put(const StageStore::Entry& entry) {
    const std::scoped_lock lock(mutex_);
    entries_.push_back(entry);
  }
  void send(Ranks& ranks) {
    std::vector<StageStore::Entry> entries;
    {
      const std::scoped_lock lock(mutex_);
      entries.swap(entries_);
    }
    for (const StageStore::Entry& entry : entries)
      ranks.tell_first(packed(entry_json(entry)));
  }

 private:
  std::mutex mutex_;
  std::vector<StageStore::Entry> entries_;
};

}  // namespace

SharedAnswers::SharedAnswers(DecoderPool& pool, int at_once, Ranks& ranks, SharedSearch shared,
                             StageStore& store)
    : ranks_(ranks),
      shared_(std::move(shared)),
      store_(store),
      own_(pool, at_once, shared_.program, store) {
  for (std::size_t i = 0; i < shared_.questions.size(); ++i)
    places_[question_hash(shared_.questions[i])] = i;
  Json opening = identity(shared_);
  opening["known"] = Json::array();
  for (const StageStore::Entry& entry : store.entries())
    opening["known"].push_back(entry_json(entry));
  ranks_.from_first(packed(opening));
}

SharedAnswers::~SharedAnswers() {
  let_go(ranks_);
}

void SharedAnswers::answer(const Plan& plan, std::span<const Question> questions,
                           const std::atomic<bool>* stop) {
  std::vector<std::size_t> asked;
  for (const Question& question : questions)
    asked.push_back(places_.at(question_hash(question)));
  ranks_.from_first(packed(portion_json(plan, shared_, asked)));
  int left = ranks_.size() - 1;
  const auto take = [&](const std::string& text) {
    if (text == ALL_DONE) {
      --left;
    } else {
      store_.add(read_entry(Json::from_msgpack(text)));
    }
  };
  const std::vector<Question> own = share_of(asked, ranks_, shared_.questions);
  answer_and_talk(own_, plan, own, stop, [&] {
    while (const auto text = ranks_.hear(false))
      take(*text);
  });
  while (left > 0)
    take(*ranks_.hear(true));
}

void let_go(Ranks& ranks) {
  ranks.from_first(LET_GO);
}

void help_search(DecoderPool& pool, int at_once, Ranks& ranks, const SharedSearch& shared,
                 const std::atomic<bool>* stop) {
  const std::string begun = ranks.from_first("");
  if (begun == LET_GO) return;
  const Json opening = Json::from_msgpack(begun);
  const Json own = identity(shared);
  for (const char* what : {"model", "program", "question set", "set of flags"}) {
    if (own.at(what) == opening.at(what)) continue;
    throw UserError("rank", fmt::format("its {} differs from the first rank's", what),
                    "give all ranks the same files and the same flags");
  }
  StageStore known(":memory:", shared.model_hash, shared.program.hash, shared.engine);
  for (const Json& entry : opening.at("known"))
    known.add(read_entry(entry));
  Outbox outbox;
  known.watch([&outbox](const StageStore::Entry& entry) { outbox.put(entry); });
  PoolAnswers answers(pool, at_once, shared.program, known);
  for (;;) {
    const std::string text = ranks.from_first("");
    if (text == LET_GO) return;
    const Json portion = Json::from_msgpack(text);
    const Plan plan = parse_plan(portion.at("plan").get<std::string>(), "the first rank's plan");
    const auto asked = portion.at("questions").get<std::vector<std::size_t>>();
    answer_and_talk(answers, plan, share_of(asked, ranks, shared.questions), stop,
                    [&] { outbox.send(ranks); });
    ranks.tell_first(ALL_DONE);
  }
}

}  // namespace litestage
