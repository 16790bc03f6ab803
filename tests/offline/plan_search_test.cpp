// The whole search on a tiny random model: its answers are noise, but what is searched, kept and
// chosen must be right all the same.
#include "offline/plan_search.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "litestage/error.h"
#include "offline/profile.h"
#include "offline/program_world.h"
#include "support/calibration.h"
#include "support/learned_preview.h"

namespace litestage::test {
namespace {

class PlanSearchTest : public testing::Test {
 protected:
  PlanSearchTest() : tiny_(TinyModel(TinyOptions{})) {
    for (int i = 0; i < 3; ++i) {
      for (Question question : calibration_questions()) {
        question.id += std::to_string(i);
        question.text += std::string(static_cast<std::size_t>(i), '?');
        questions_.push_back(question);
      }
    }
    importance_ = importance();
    options_.search.max_loss = 50;
    options_.most_skipped = 2;
    options_.candidates.count = 2;
    options_.candidates.most_damage = 50;
    options_.calibration = 2;
    options_.damage_tokens = 30;
    options_.timer = {.rounds = 2, .steps = 1};
    options_.timed_questions = 2;
    options_.timed_repeats = 1;
  }

  /// Every figure plausible, none measured: the search only needs an order.
  Importance importance() const {
    Importance importance;
    importance.model_hash = model_hash(*tiny_.tiny.model());
    importance.program_hash = tiny_.program.hash;
    for (const Stage& stage : tiny_.program.stages) {
      StageImportance of_stage;
      of_stage.name = stage.name;
      of_stage.fresh_tokens = 10;
      of_stage.written_tokens = stage.output == OutputKind::choice ? 0 : 10;
      of_stage.prefill_ms = 1;
      of_stage.decode_ms = 3;
      for (int layer = 0; layer < tiny_.tiny.model()->layer_count(); ++layer) {
        SublayerImportance sublayer;
        for (SublayerFigures* figures : {&sublayer.prefill, &sublayer.decode}) {
          figures->cosine = 0.9 + 0.01 * layer;
          figures->damage = 0.1 + 0.05 * layer;
          figures->ms = 0.1;
        }
        of_stage.layers.push_back({sublayer, sublayer});
      }
      importance.stages.push_back(of_stage);
    }
    return importance;
  }

  PlanSearchResult search(const std::string& memo = "plan.memo",
                          const std::atomic<bool>* stop = nullptr,
                          const std::function<void(const PlanSearchProgress&)>& progress = {}) {
    const Importance* importance = start_ == nullptr ? &importance_ : nullptr;
    return search_plan(
        {tiny_.decoder, tiny_.program, questions_, importance, (folder_ / memo).string(), "tiny",
         "three", "six.jsonl", 0, pool_, nullptr, start_},
        options_, progress, stop);
  }

  static void expect_same_choice(const PlanSearchResult& a, const PlanSearchResult& b) {
    EXPECT_EQ(a.masks.result.chosen, b.masks.result.chosen);
    EXPECT_EQ(a.plan.stages, b.plan.stages);
    EXPECT_EQ(a.plan.accuracy, b.plan.accuracy);
  }

  Calibration tiny_;
  TemporaryFolder folder_;
  std::vector<Question> questions_;
  Importance importance_;
  PlanSearchOptions options_;
  DecoderPool* pool_ = nullptr;
  const Plan* start_ = nullptr;
};

TEST_F(PlanSearchTest, FindsAPlanByEitherMethod) {
  for (const SearchMethod method : {SearchMethod::paper, SearchMethod::latency}) {
    options_.search.method = method;
    const PlanSearchResult found = search(std::string(to_string(method)));
    ASSERT_FALSE(found.interrupted);
    const Plan& plan = found.plan;
    EXPECT_EQ(plan.origin.method, to_string(method));
    EXPECT_EQ(plan.model_name, "tiny");
    EXPECT_EQ(plan.program, "three");
    EXPECT_EQ(plan.origin.head, "full");
    ASSERT_EQ(plan.stages.size(), 3U);
    EXPECT_EQ(plan.stages[1].first, "analyze");
    EXPECT_EQ(plan.origin.questions.size(), 6U);
    ASSERT_TRUE(plan.latency);
    EXPECT_EQ(plan.latency->questions, 2);
    // Two of six questions were kept from the search, and the plan is judged by them.
    EXPECT_EQ(found.masks.result.accuracy.questions, 4);
    ASSERT_TRUE(plan.accuracy);
    EXPECT_EQ(plan.accuracy->questions, 2);
    EXPECT_GE(plan.accuracy->loss_bound, plan.accuracy->loss());
    // What was written can be read again.
    EXPECT_EQ(parse_plan(to_json(plan), "plan").stages, plan.stages);
    EXPECT_EQ(parse_search(to_json(found.masks), "search").result.chosen,
              found.masks.result.chosen);
    ASSERT_TRUE(found.exits);
    EXPECT_EQ(parse_search(to_json(*found.exits), "exits").result.chosen,
              found.exits->result.chosen);
  }
}

/// What two searches both ran must have been answered alike; which choices they came to may differ
/// with what the clock said.
void expect_same_answers(const PlanSearchResult& a, const PlanSearchResult& b) {
  EXPECT_EQ(a.masks.result.accuracy.full_correct, b.masks.result.accuracy.full_correct);
  EXPECT_EQ(a.masks.result.full_written, b.masks.result.full_written);
  std::map<Choice, const SweepRecord*> known;
  for (const SweepRecord& record : a.masks.result.sweeps)
    known[record.choice] = &record;
  int common = 0;
  for (const SweepRecord& record : b.masks.result.sweeps) {
    const auto found = known.find(record.choice);
    if (found == known.end() || found->second->questions != record.questions) continue;
    ++common;
    EXPECT_EQ(found->second->correct, record.correct);
    EXPECT_EQ(found->second->lost, record.lost);
    EXPECT_EQ(found->second->written, record.written);
  }
  EXPECT_GT(common, 0);
}

// Weights and KV are floats here: batches of any size round alike.
TEST_F(PlanSearchTest, QuestionsAnsweredAtTheSameTimeGetTheSameAnswers) {
  const PlanSearchResult alone = search("alone");
  DecoderOptions shared = tiny_.decoder.options();
  DecoderPool pool(tiny_.tiny.model(), shared);
  pool_ = &pool;
  options_.parallel = 3;
  const PlanSearchResult together = search("together");
  expect_same_answers(alone, together);
  EXPECT_GT(pool.statistics().calls, pool.statistics().batches) << "nothing was shared";
}

// The pool only saves time: what it has no room for is answered all the same.
TEST_F(PlanSearchTest, APoolTooSmallForTheQuestionsLeavesThemToTheDecoder) {
  const PlanSearchResult alone = search("alone");
  DecoderOptions small = tiny_.decoder.options();
  small.context = 16;
  DecoderPool pool(tiny_.tiny.model(), small);
  pool_ = &pool;
  expect_same_answers(alone, search("small"));
}

TEST_F(PlanSearchTest, NoAcceptedCandidateLosesMoreThanAllowed) {
  options_.search.max_loss = 0;
  const PlanSearchResult found = search();
  for (const SearchFile* file : {&found.masks, &*found.exits}) {
    for (const SweepRecord& record : file->result.sweeps) {
      if (record.time) {
        EXPECT_LE(record.lost - record.gained, 0);
      }
    }
  }
}

// On the questions of the search the full model is wrong throughout, so nothing loses there; on the
// fresh ones it is right throughout, so whatever answers otherwise loses.
TEST_F(PlanSearchTest, StepsThatLoseOnFreshQuestionsAreTakenBack) {
  options_.search.max_loss = 0;
  options_.confirm_share = 0.5;
  options_.timed_questions = 0;
  StageStore store((folder_ / "full.memo").string(), "model", tiny_.program.hash);
  const auto full = answer_all({tiny_.decoder}, tiny_.program, Plan{}, store, questions_);
  ASSERT_TRUE(full);
  for (std::size_t i = 0; i < questions_.size(); ++i) {
    const std::string& answer = full->at(i).answer;
    const std::string other = answer == "A" ? "B" : "A";
    questions_[i].gold = i < questions_.size() / 2 ? other : answer;
  }
  std::vector<std::string> looks;
  std::string right_at_first;
  const PlanSearchResult found =
      search("plan.memo", nullptr, [&](const PlanSearchProgress& progress) {
        if (progress.step != "fresh questions") return;
        if (looks.empty() || looks.back() != progress.what) looks.push_back(progress.what);
        if (progress.what == "plan") right_at_first = progress.note;
      });
  ASSERT_TRUE(found.plan.accuracy);
  EXPECT_EQ(found.plan.accuracy->lost, 0);
  EXPECT_EQ(found.plan.accuracy->plan_correct, found.plan.accuracy->questions);
  const auto refuted = std::ranges::count(found.masks.result.sweeps, Verdict::refuted,
                                          [](const SweepRecord& record) { return record.verdict; });
  if (refuted > 0) {
    EXPECT_FALSE(found.exits) << "they were for other masks";
    EXPECT_EQ(found.plan.stages, found.masks.settings(found.masks.result.chosen));
  }
  // The full model and the plan; then what is left of it, once for each step that was taken back.
  ASSERT_GE(looks.size(), 2U);
  EXPECT_EQ(looks[0], "full model");
  EXPECT_EQ(looks[1], "plan");
  for (std::size_t i = 2; i < looks.size(); ++i)
    EXPECT_TRUE(looks[i].starts_with("plan without the ")) << looks[i];
  // What is fastest, and so what was chosen, is for the clock to say; whether it lost is not.
  const bool lost = right_at_first != fmt::format("right {}", questions_.size() / 2);
  EXPECT_EQ(looks.size() > 2, lost);
  // What was written can be read again.
  EXPECT_EQ(parse_search(to_json(found.masks), "search").result.chosen, found.masks.result.chosen);
}

TEST_F(PlanSearchTest, WorkThatIsDoneIsMetInTheMemo) {
  options_.timed_questions = 0;
  const PlanSearchResult first = search();
  tiny_.decoder.clear();
  const auto before = tiny_.decoder.graph_statistics();
  const PlanSearchResult second = search();
  const auto after = tiny_.decoder.graph_statistics();
  expect_same_choice(first, second);
  EXPECT_EQ(first.masks.result.full_time.ms, second.masks.result.full_time.ms);
  EXPECT_EQ(after.built + after.reused, before.built + before.reused) << "something was computed";
}

/// Stages in a memo: as many as were computed for it.
int stages_in(const std::filesystem::path& memo) {
  sqlite3* database = nullptr;
  int count = -1;
  const auto take = [](void* into, int, char** values, char**) {
    *static_cast<int*>(into) = std::stoi(values[0]);
    return 0;
  };
  if (sqlite3_open(memo.c_str(), &database) == SQLITE_OK)
    sqlite3_exec(database, "SELECT count(*) FROM outcomes", take, &count, nullptr);
  sqlite3_close(database);
  return count;
}

// As in `tune`: the profile takes the first questions, the search all of them in another order.
TEST_F(PlanSearchTest, TextsOfTheFullModelAreWrittenOnce) {
  options_.early_exit = false;
  options_.timed_questions = 0;
  options_.candidates.most_damage = 0;  // nothing may be left out: all texts are the full model's
  ProfileOptions profiled;
  profiled.damage_tokens = 0;
  profiled.cost = {.min_rounds = 3, .max_rounds = 3, .max_ms = 1};
  profiled.memo = (folder_ / "plan.memo").string();
  const std::vector<Question> first(questions_.begin(), questions_.begin() + 2);
  ASSERT_TRUE(profile(tiny_.decoder, tiny_.program, first, profiled, ""));
  EXPECT_EQ(stages_in(profiled.memo), 2 * 3);

  std::reverse(questions_.begin(), questions_.end());
  const PlanSearchResult found = search();
  ASSERT_FALSE(found.interrupted);
  EXPECT_EQ(stages_in(profiled.memo), 6 * 3);
  EXPECT_EQ(found.masks.result.chosen, Choice(3, 0));
}

/// Leaves the milliseconds that were measured in a memo, and nothing else.
void keep_times_alone(const std::filesystem::path& memo) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(memo.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database,
                         "DELETE FROM outcomes; DELETE FROM measurements WHERE name LIKE 'damage%'",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
}

TEST_F(PlanSearchTest, OneThatIsStoppedAnywhereGoesOnToTheSamePlan) {
  options_.timed_questions = 0;
  const PlanSearchResult whole = search("times.memo");
  keep_times_alone(folder_ / "times.memo");
  // Every search below meets the milliseconds of this one: what it looks at next would otherwise
  // depend on the clock.
  const auto memo_with_times = [&](const std::string& name) {
    std::filesystem::copy_file(folder_ / "times.memo", folder_ / name);
    return name;
  };
  int calls = 0;
  search(memo_with_times("count.memo"), nullptr, [&](const PlanSearchProgress&) { ++calls; });
  ASSERT_GT(calls, 20);
  for (int stop_at = 1; stop_at < calls; stop_at += calls / 7) {
    const std::string memo = memo_with_times("stopped" + std::to_string(stop_at) + ".memo");
    std::atomic<bool> stop{false};
    int seen = 0;
    const PlanSearchResult stopped =
        search(memo, &stop, [&](const PlanSearchProgress&) { stop.store(++seen >= stop_at); });
    EXPECT_TRUE(stopped.interrupted) << stop_at;
    const PlanSearchResult resumed = search(memo);
    ASSERT_FALSE(resumed.interrupted);
    const PlanSearchResult again = search(memo);
    expect_same_choice(resumed, again);
    expect_same_choice(resumed, whole);
    EXPECT_EQ(resumed.masks.result.accuracy.full_correct, whole.masks.result.accuracy.full_correct);
    EXPECT_EQ(resumed.masks.stages.size(), whole.masks.stages.size());
    for (std::size_t stage = 0; stage < whole.masks.stages.size(); ++stage) {
      ASSERT_EQ(resumed.masks.stages[stage].candidates.size(),
                whole.masks.stages[stage].candidates.size());
      for (std::size_t i = 0; i < whole.masks.stages[stage].candidates.size(); ++i) {
        EXPECT_EQ(resumed.masks.stages[stage].candidates[i].settings,
                  whole.masks.stages[stage].candidates[i].settings);
      }
    }
  }
}

TEST_F(PlanSearchTest, ChoosesAgainByNewTimes) {
  const PlanSearchResult found = search();
  const std::vector<Question> searched(questions_.begin(), questions_.begin() + 4);
  const PlanSearchResult again =
      retime_plan({tiny_.decoder, tiny_.program, searched, (folder_ / "plan.memo").string(),
                   found.masks, found.exits},
                  options_);
  ASSERT_FALSE(again.interrupted);
  EXPECT_EQ(accepted_choices(again.masks.result), accepted_choices(found.masks.result));
  ASSERT_TRUE(again.plan.latency);
  if (again.plan.stages == found.plan.stages) {
    EXPECT_EQ(again.plan.accuracy, found.plan.accuracy);
  }
}

TEST_F(PlanSearchTest, AnImportanceWithoutDamageIsForThePapersMethodAlone) {
  for (StageImportance& stage : importance_.stages) {
    for (auto& layer : stage.layers) {
      for (SublayerImportance& sublayer : layer)
        sublayer.prefill.damage = sublayer.decode.damage = std::nan("");
    }
  }
  options_.search.method = SearchMethod::latency;
  EXPECT_THROW(search(), UserError);
  options_.search.method = SearchMethod::paper;
  EXPECT_NO_THROW(search());
}

TEST_F(PlanSearchTest, AnImportanceOfSomethingElseIsRefused) {
  importance_.program_hash = "other";
  EXPECT_THROW(search(), UserError);
  importance_ = importance();
  importance_.model_hash = "other";
  EXPECT_THROW(search(), UserError);
}

/// A plan that leaves out something in each stage and ends texts, by no search.
Plan plan_by_hand(const Calibration& tiny) {
  Plan plan;
  plan.model_hash = model_hash(*tiny.tiny.model());
  plan.layers = tiny.tiny.model()->layer_count();
  plan.program_hash = tiny.program.hash;
  plan.kv_reuse = KvReuse::exact;
  for (const Stage& stage : tiny.program.stages) {
    StageSettings settings = StageSettings::with_mask(SublayerMask::parse("f1", 3));
    settings.exit.max_tokens = 2;
    plan.stages.emplace_back(stage.name, settings);
  }
  plan.early = {0.5, 0, false};
  plan.origin.questions = {"0123456789abcdef"};
  return plan;
}

TEST_F(PlanSearchTest, GoesOnFromAPlan) {
  const Plan before = plan_by_hand(tiny_);
  start_ = &before;
  const PlanSearchResult found = search();
  ASSERT_FALSE(found.interrupted);
  EXPECT_EQ(found.plan.stages, before.stages);
  EXPECT_EQ(found.plan.kv_reuse, before.kv_reuse);
  EXPECT_FALSE(found.exits) << "rules are the plan's";
  EXPECT_EQ(found.masks.result.chosen, Choice(3, 1));
  EXPECT_FALSE(found.plan.early.any()) << "the program has none: those of the plan are gone";
  ASSERT_TRUE(found.plan.accuracy && found.plan.latency);
  EXPECT_EQ(found.plan.accuracy->questions, 2) << "a third was kept from the search";
  // Whoever evaluates on what either search has seen is to be told.
  EXPECT_EQ(found.plan.origin.questions.size(), questions_.size() + 1);
  EXPECT_EQ(found.plan.origin.questions.back(), before.origin.questions.front());
  EXPECT_EQ(parse_search(to_json(found.masks), "search").plan, found.plan);
}

// Nothing of a plan to go on from is taken back, whatever is lost: it is measured.
TEST_F(PlanSearchTest, APlanToGoOnFromIsKeptWhateverItLoses) {
  options_.search.max_loss = 0;
  options_.confirm_share = 0.5;
  const Plan before = plan_by_hand(tiny_);
  StageStore store((folder_ / "full.memo").string(), "model", tiny_.program.hash);
  const auto full = answer_all({tiny_.decoder}, tiny_.program, Plan{}, store, questions_);
  ASSERT_TRUE(full);
  for (std::size_t i = 0; i < questions_.size(); ++i)
    questions_[i].gold = full->at(i).answer;
  start_ = &before;
  const PlanSearchResult found = search();
  ASSERT_TRUE(found.plan.accuracy);
  EXPECT_EQ(found.plan.stages, before.stages);
  EXPECT_EQ(found.plan.accuracy->full_correct, 3);
  EXPECT_EQ(found.plan.accuracy->plan_correct, 3 - found.plan.accuracy->lost);
}

TEST_F(PlanSearchTest, APlanOfSomethingElseIsRefused) {
  for (const auto& spoil : std::vector<std::function<void(Plan&)>>{
           [](Plan& plan) { plan.model_hash = "other"; }, [](Plan& plan) { plan.layers = 30; },
           [](Plan& plan) { plan.program_hash = "other"; },
           [](Plan& plan) { plan.stages.pop_back(); },
           [](Plan& plan) { std::swap(plan.stages[0], plan.stages[1]); }}) {
    Plan other = plan_by_hand(tiny_);
    spoil(other);
    start_ = &other;
    EXPECT_THROW(search(), UserError);
  }
}

TEST_F(PlanSearchTest, TheWorldRemembersAndTells) {
  StageStore store((folder_ / "world.memo").string(), "model", tiny_.program.hash);
  Candidate masked;
  masked.settings = StageSettings::with_mask(SublayerMask::parse("f1", 3));
  ProgramWorld world(
      tiny_.decoder, tiny_.program, questions_,
      {{"recall", {Candidate{}, masked}}, {"analyze", {Candidate{}}}, {"answer", {Candidate{}}}},
      store, {KvReuse::whole, {.rounds = 2, .steps = 1}, "here"});
  const auto first = world.run_in_detail({1, 0, 0}, 0);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->stages.size(), 3U);
  EXPECT_EQ(first->stages[0].settings.decode.to_string(), "f1");
  EXPECT_EQ(first->stages[1].texts.size(), 2U);
  EXPECT_EQ(first->stages[0].confidences[0].size(), first->stages[0].texts[0].size());
  const auto second = world.run_in_detail({1, 0, 0}, 0);
  ASSERT_TRUE(second);
  EXPECT_EQ(first->trial.read, second->trial.read);
  EXPECT_EQ(first->trial.written, second->trial.written);
  EXPECT_EQ(first->stages[2].contexts[0].tokens, second->stages[2].contexts[0].tokens);

  const auto timed = world.time({1, 0, 0}, {});
  ASSERT_TRUE(timed);
  ASSERT_EQ(timed->stage_ms.size(), 3U);
  EXPECT_NEAR(timed->ms, timed->stage_ms[0] + timed->stage_ms[1] + timed->stage_ms[2], 1e-9);
  EXPECT_EQ(world.time({1, 0, 0}, {})->ms, timed->ms) << "measured once";
  EXPECT_EQ(world.whole_head_costs({1, 0, 0}, *world.details_of({1, 0, 0})),
            std::vector<double>(3, 1.0))
      << "no preview";
}

TEST_F(PlanSearchTest, TheWorldTellsWhatTheWholeHeadCosts) {
  give_preview(tiny_, folder_ / "tiny.head.gguf");
  StageStore store((folder_ / "world.memo").string(), "model", tiny_.program.hash);
  ProgramWorld world(
      tiny_.decoder, tiny_.program, questions_,
      {{"recall", {Candidate{}}}, {"analyze", {Candidate{}}}, {"answer", {Candidate{}}}}, store,
      {KvReuse::whole, {.rounds = 2, .steps = 1}, "here"});
  const auto details = world.details_of(Choice(3, 0));
  ASSERT_TRUE(details);
  EXPECT_EQ(tiny_.decoder.head_statistics().previewed, 0) << "answers are the full head's";
  const auto costs = world.whole_head_costs(Choice(3, 0), *details);
  ASSERT_TRUE(costs);
  ASSERT_EQ(costs->size(), 3U);
  // Which head is the faster one is a matter of time; that both were timed is not.
  const auto previewed = tiny_.decoder.head_statistics().previewed;
  EXPECT_GT(previewed, 0);
  EXPECT_EQ((*costs)[2], 1) << "a choice by logits uses neither";
  EXPECT_EQ(world.whole_head_costs(Choice(3, 0), *details), costs) << "measured once";
  EXPECT_EQ(tiny_.decoder.head_statistics().previewed, previewed);
}

}  // namespace
}  // namespace litestage::test
