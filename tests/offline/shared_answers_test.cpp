// A search's questions answered by several ranks, which are threads here.
#include "offline/shared_answers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "support/calibration.h"
#include "support/temporary.h"
#include "support/thread_ranks.h"

namespace litestage::test {
namespace {

constexpr int RANKS = 3;

class SharedAnswersTest : public testing::Test {
 protected:
  SharedAnswersTest() {
    for (int i = 0; i < 4; ++i) {
      for (Question question : calibration_questions()) {
        question.text += std::string(static_cast<std::size_t>(i), '?');
        questions_.push_back(question);
      }
    }
    plan_.stages = {{"analyze", StageSettings::with_mask(SublayerMask::parse("f1", 3))}};
  }

  SharedSearch shared(const std::vector<Question>& questions) const {
    return {tiny_.program, questions, std::string(64, 'a'), tiny_.tiny.model()->layer_count()};
  }
  std::unique_ptr<StageStore> open(const std::string& name) const {
    return std::make_unique<StageStore>((folder_ / name).string(), std::string(64, 'a'),
                                        tiny_.program.hash);
  }
  DecoderPool pool() const { return {tiny_.tiny.model(), tiny_.decoder.options()}; }

  /// Runs the first rank's part beside the other ranks, which help with the same questions.
  /// @return outcomes that the others sent
  std::size_t beside_others(StageStore& store, const std::function<void(AnswersAhead&)>& part,
                            const std::atomic<bool>* stop = nullptr) {
    ThreadRanks channel(RANKS);
    std::vector<std::future<void>> others;
    for (int rank = 1; rank < RANKS; ++rank) {
      others.push_back(std::async(std::launch::async, [&, rank] {
        ThreadRanks::End end(channel, rank);
        DecoderPool own = pool();
        help_search(own, 2, end, shared(questions_), stop);
      }));
    }
    std::size_t own = 0;
    const std::size_t before = store.entries().size();
    store.watch([&own, this](const StageStore::Entry&) {
      const std::scoped_lock lock(counting_);
      ++own;
    });
    {
      ThreadRanks::End end(channel, 0);
      DecoderPool mine = pool();
      SharedAnswers answers(mine, 2, end, shared(questions_), store);
      part(answers);
    }
    for (std::future<void>& other : others)
      other.get();
    store.watch({});
    return store.entries().size() - before - own;
  }

  std::vector<std::string> texts(StageStore& store) {
    tiny_.decoder.clear();
    const auto records = answer_all({tiny_.decoder}, tiny_.program, plan_, store, questions_);
    std::vector<std::string> all;
    for (const QuestionRecord& record : *records) {
      for (const StageRecord& stage : record.stages)
        all.push_back(stage.text);
      all.push_back(record.answer);
    }
    return all;
  }

  static std::set<std::string> keys(StageStore& store) {
    std::set<std::string> all;
    for (const StageStore::Entry& entry : store.entries())
      all.insert(entry.key);
    return all;
  }

  Calibration tiny_{TinyModel(TinyOptions{})};
  TemporaryFolder folder_;
  std::vector<Question> questions_;
  Plan plan_;
  std::mutex counting_;
};

// Weights and KV are floats here: batches of any size round alike.
TEST_F(SharedAnswersTest, TheStoreHoldsWhatOneProcessWouldHaveWritten) {
  const auto alone = open("alone.memo");
  const std::vector<std::string> expected = texts(*alone);
  const auto store = open("shared.memo");
  const std::size_t sent = beside_others(
      *store, [&](AnswersAhead& answers) { answers.answer(plan_, questions_, nullptr); });
  EXPECT_EQ(keys(*store), keys(*alone));
  // Eight questions of three stages, dealt to three ranks: two for one of them, three for others.
  EXPECT_EQ(sent, 5U * 3);

  const auto before = tiny_.decoder.graph_statistics();
  EXPECT_EQ(texts(*store), expected);
  const auto after = tiny_.decoder.graph_statistics();
  EXPECT_LE(after.built + after.reused - before.built - before.reused, 1U)
      << "something but the preamble was computed again";
}

TEST_F(SharedAnswersTest, WhatIsKnownIsWrittenByNoRankAgain) {
  const auto store = open("known.memo");
  beside_others(*store, [&](AnswersAhead& answers) { answers.answer(plan_, questions_, nullptr); });
  const auto filled = keys(*store);
  const std::size_t sent = beside_others(
      *store, [&](AnswersAhead& answers) { answers.answer(plan_, questions_, nullptr); });
  EXPECT_EQ(sent, 0U);
  EXPECT_EQ(keys(*store), filled);
}

TEST_F(SharedAnswersTest, PortionsFollowOneAnother) {
  const auto store = open("portions.memo");
  std::size_t sent = beside_others(*store, [&](AnswersAhead& answers) {
    EXPECT_EQ(answers.at_once(), 2 * RANKS);
    const std::span<const Question> all = questions_;
    answers.answer(plan_, all.first(3), nullptr);
    answers.answer(Plan{}, all.first(1), nullptr);
    answers.answer(plan_, all.subspan(3), nullptr);
  });
  EXPECT_EQ(sent, 5U * 3);  // the first question is the first rank's
}

TEST_F(SharedAnswersTest, AStoppedOneLetsTheOthersGo) {
  const auto store = open("stopped.memo");
  const std::atomic<bool> stop{true};
  const std::size_t sent = beside_others(
      *store, [&](AnswersAhead& answers) { answers.answer(plan_, questions_, &stop); }, &stop);
  EXPECT_EQ(sent, 0U);
  EXPECT_TRUE(store->entries().empty());
}

TEST_F(SharedAnswersTest, OthersAreLetGoBeforeAnythingIsShared) {
  ThreadRanks channel(2);
  std::future<void> other = std::async(std::launch::async, [&] {
    ThreadRanks::End end(channel, 1);
    DecoderPool own = pool();
    help_search(own, 1, end, shared(questions_));
  });
  ThreadRanks::End first(channel, 0);
  let_go(first);
  EXPECT_NO_THROW(other.get());
}

TEST_F(SharedAnswersTest, ARankWithOtherQuestionsSaysSo) {
  ThreadRanks channel(2);
  const auto store = open("other.memo");
  ThreadRanks::End first(channel, 0);
  DecoderPool mine = pool();
  const SharedAnswers answers(mine, 1, first, shared(questions_), *store);
  ThreadRanks::End second(channel, 1);
  std::vector<Question> others = questions_;
  others.pop_back();
  try {
    help_search(mine, 1, second, shared(others));
    FAIL() << "it went on";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("question set differs"), std::string::npos);
  }
}

}  // namespace
}  // namespace litestage::test
