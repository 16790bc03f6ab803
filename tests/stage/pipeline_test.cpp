// Questions through stages on a tiny random model: its texts are noise, but what is read, kept,
// masked and ended must be right all the same.
#include "litestage/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "litestage/program.h"
#include "support/calibration.h"
#include "support/decoder_tools.h"

namespace litestage::test {
namespace {

const std::string THREE_STAGES(calibration_program());

Question heavier() {
  return {.id = "heavy",
          .text = "Which is heavier?",
          .options = letter_options({"a brick", "a feather", "a leaf"}),
          .gold = "A",
          .program = ""};
}

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() : tiny_(TinyOptions{}), decoder_(tiny_.model(), options()) {}

  static DecoderOptions options() {
    DecoderOptions options = small_decoder();
    options.context = 1024;
    return options;
  }

  QuestionRecord ask(const std::string& program, const PipelineOptions& options = {}) {
    Pipeline pipeline(decoder_, parse_program(program, "program.toml"), options);
    return pipeline.answer(heavier());
  }

  LoadedTiny tiny_;
  Decoder decoder_;
};

TEST_F(PipelineTest, RecordsEveryStageAndBranch) {
  const QuestionRecord record = ask(THREE_STAGES);
  ASSERT_EQ(record.stages.size(), 5U);
  EXPECT_EQ(record.stages[0].name, "recall");
  EXPECT_LE(record.stages[0].tokens, 6);
  for (int branch = 0; branch < 3; ++branch) {
    EXPECT_EQ(record.stages[static_cast<std::size_t>(branch) + 1].name, "analyze");
    EXPECT_EQ(record.stages[static_cast<std::size_t>(branch) + 1].option,
              std::string(1, static_cast<char>('A' + branch)));
  }
  EXPECT_EQ(record.stages[4].stop_reason, StopReason::choice);
  EXPECT_EQ(record.stages[4].tokens, 0);
  EXPECT_TRUE(record.answer == "A" || record.answer == "B" || record.answer == "C")
      << record.answer;
  EXPECT_FALSE(record.interrupted);
}

// In a model of one layer taking texts over changes nothing but what is computed.
TEST(PipelineOfOneLayer, MergedBranchesAreNotReadAgain) {
  const LoadedTiny tiny(TinyOptions{.layers = 1});
  std::string program = THREE_STAGES;
  program.replace(program.find("max_tokens = 5"), 14, "max_tokens = 24");
  const auto ask = [&](bool merges) {
    DecoderOptions options = small_decoder();
    options.context = 1024;
    Decoder decoder(tiny.model(), options);
    PipelineOptions chosen;
    chosen.merge_branches = merges;
    Pipeline pipeline(decoder, parse_program(program, "program.toml"), chosen);
    QuestionRecord record = pipeline.answer(heavier());
    EXPECT_EQ(decoder.sequences().size(), 1U) << "the preamble alone stays";
    return record;
  };
  const QuestionRecord read = ask(false);
  const QuestionRecord merged = ask(true);
  ASSERT_EQ(read.stages.size(), merged.stages.size());
  for (std::size_t i = 0; i < read.stages.size(); ++i)
    EXPECT_EQ(read.stages[i].text, merged.stages[i].text) << i;
  EXPECT_NEAR(*read.stages[4].margin, *merged.stages[4].margin, 1e-3);
  EXPECT_EQ(read.stages[4].prompt_tokens, merged.stages[4].prompt_tokens);
  EXPECT_GT(merged.stages[4].reused_tokens, read.stages[4].reused_tokens + 20);
}

// Branches that are kept for a later stage go when room is needed; what they were called may be
// taken by others then.
TEST(PipelineOfOneLayer, MergingBranchesNeedsNoMoreRoom) {
  const LoadedTiny tiny(TinyOptions{.layers = 1});
  std::string program = THREE_STAGES;
  program.replace(program.find("max_tokens = 5"), 14, "max_tokens = 40");
  int answered = 0;
  for (int context = 300; context <= 600; context += 2) {
    DecoderOptions options = small_decoder();
    options.context = context;
    Decoder decoder(tiny.model(), options);
    PipelineOptions chosen;
    chosen.merge_branches = true;
    // Under another mask the last stage goes on from nothing that was read before.
    chosen.stages["answer"] = StageSettings::with_mask(SublayerMask::parse("f0", 1));
    Pipeline pipeline(decoder, parse_program(program, "program.toml"), chosen);
    try {
      pipeline.check(heavier());
    } catch (const UserError&) {
      continue;  // too small for the program in any case
    }
    EXPECT_NE(pipeline.answer(heavier()).answer, "") << context;
    ++answered;
  }
  EXPECT_GT(answered, 10);
}

TEST_F(PipelineTest, BranchesInOneBatchWriteWhatEachWritesAlone) {
  const QuestionRecord together = ask(THREE_STAGES);
  for (const char letter : {'A', 'B', 'C'}) {
    const std::string alone = std::string(R"(
name = "alone"
format = "plain"
preamble = "Answer the question.\n"
[[stage]]
name = "recall"
prompt = "Q: {{question}}\n{{options}}\nRecall:"
max_tokens = 6
[[stage]]
name = "analyze"
prompt = "\nOption ()") + letter +
                              R"():"
max_tokens = 5
)";
    const QuestionRecord record = ask(alone);
    EXPECT_EQ(record.stages[1].text,
              together.stages[static_cast<std::size_t>(letter - 'A') + 1].text)
        << letter;
  }
}

TEST_F(PipelineTest, TheSameCallGivesTheSameTextAlsoWithAWarmCache) {
  Pipeline pipeline(decoder_, parse_program(THREE_STAGES, "program.toml"));
  const QuestionRecord first = pipeline.answer(heavier());
  const QuestionRecord second = pipeline.answer(heavier());
  ASSERT_EQ(first.stages.size(), second.stages.size());
  for (std::size_t i = 0; i < first.stages.size(); ++i) {
    EXPECT_EQ(first.stages[i].text, second.stages[i].text) << i;
  }
}

TEST_F(PipelineTest, OnlyThePreambleOutlivesAQuestion) {
  Pipeline pipeline(decoder_, parse_program(THREE_STAGES, "program.toml"));
  const int before = decoder_.free_cells();
  const QuestionRecord first = pipeline.answer(heavier());
  const int preamble = before - decoder_.free_cells();
  EXPECT_GT(preamble, 0);
  EXPECT_EQ(first.stages[0].reused_tokens, preamble);
  pipeline.answer(heavier());
  EXPECT_EQ(before - decoder_.free_cells(), preamble);
}

TEST_F(PipelineTest, AStageStartsFromTheKeysAndValuesOfTheOneBefore) {
  const QuestionRecord record = ask(THREE_STAGES);
  // Everything but the last sampled token of recall was in the cache when the branches were read.
  EXPECT_GE(record.stages[1].reused_tokens, record.stages[0].prompt_tokens);
  // What all branches share is read once.
  EXPECT_GT(record.stages[2].reused_tokens, record.stages[1].reused_tokens);
}

TEST_F(PipelineTest, MasksApplyAStage) {
  PipelineOptions options;
  options.settings =
      StageSettings::with_mask(SublayerMask::parse("f1", tiny_.model()->layer_count()));
  options.stages["analyze"] =
      StageSettings::with_mask(SublayerMask::parse("a0,f0-2", tiny_.model()->layer_count()));
  const QuestionRecord record = ask(THREE_STAGES, options);
  EXPECT_EQ(record.stages[0].mask, "f1");
  EXPECT_EQ(record.stages[1].mask, "a0,f0-2");
  EXPECT_EQ(record.stages[4].mask, "f1");
  // A context read under another mask is read again; the preamble is kept under both.
  EXPECT_EQ(record.stages[1].reused_tokens, record.stages[0].reused_tokens);
  EXPECT_NE(record.stages[1].text + record.stages[2].text,
            ask(THREE_STAGES).stages[1].text + ask(THREE_STAGES).stages[2].text);
}

TEST_F(PipelineTest, AnUnknownStageMaskNamesTheStagesThereAre) {
  PipelineOptions options;
  options.stages["recal"] = {};
  try {
    ask(THREE_STAGES, options);
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "--mask-recal");
    EXPECT_NE(std::string(error.what()).find("recall, analyze, answer"), std::string::npos)
        << error.what();
  }
}

TEST_F(PipelineTest, AQuestionTooLongForTheContextIsRefusedBeforeAnyWork) {
  Pipeline pipeline(decoder_, parse_program(THREE_STAGES, "program.toml"));
  Question question = heavier();
  for (int i = 0; i < 400; ++i)
    question.text += " and another word";
  const int before = decoder_.free_cells();
  EXPECT_THROW(pipeline.answer(question), UserError);
  EXPECT_EQ(decoder_.free_cells(), before);
}

TEST_F(PipelineTest, StopsWithWhatThereIs) {
  std::atomic<bool> stop{false};
  struct Stopper : PipelineListener {
    explicit Stopper(std::atomic<bool>& flag) : stop(flag) {}
    void on_stage_begin(const std::string& stage,
                        const std::vector<std::string>& /*options*/) override {
      if (stage == "analyze") stop.store(true);
    }
    std::atomic<bool>& stop;
  } stopper(stop);
  Pipeline pipeline(decoder_, parse_program(THREE_STAGES, "program.toml"));
  const QuestionRecord record = pipeline.answer(heavier(), &stopper, &stop);
  EXPECT_TRUE(record.interrupted);
  ASSERT_EQ(record.stages.size(), 4U);
  EXPECT_NE(record.stages[0].stop_reason, StopReason::interrupted);
  EXPECT_EQ(record.stages[3].stop_reason, StopReason::interrupted);
  EXPECT_EQ(record.answer, "");
  stop.store(false);
  EXPECT_FALSE(pipeline.answer(heavier(), nullptr, &stop).interrupted);
}

TEST_F(PipelineTest, VotesAreSampledWithTheSeedAndCounted) {
  const std::string program =
      std::string(THREE_STAGES) + "choice_by = \"grammar\"\nmax_tokens = 4\n";
  PipelineOptions options;
  options.votes = 5;
  options.seed = 7;
  const QuestionRecord first = ask(program, options);
  ASSERT_EQ(first.votes.size(), 5U);
  EXPECT_EQ(first.stages.size(), 25U);
  EXPECT_EQ(ask(program, options).votes, first.votes);
  bool differ = false;
  for (std::size_t vote = 1; vote < 5; ++vote)
    differ = differ || first.stages[0].text != first.stages[5 * vote].text;
  EXPECT_TRUE(differ) << "five samples of noise were all the same";
  for (const std::string& vote : first.votes)
    EXPECT_TRUE(vote == "A" || vote == "B" || vote == "C") << vote;
}

TEST_F(PipelineTest, StreamsExactlyTheTextOfTheRecord) {
  struct Collector : PipelineListener {
    void on_text(const std::string& stage, int branch, std::string_view piece) override {
      texts[stage + std::to_string(branch)] += piece;
    }
    std::map<std::string, std::string> texts;
  } collector;
  Pipeline pipeline(decoder_, parse_program(THREE_STAGES, "program.toml"));
  const QuestionRecord record = pipeline.answer(heavier(), &collector);
  const auto contains = [](const std::string& streamed, const std::string& text) {
    return streamed.find(text) != std::string::npos;
  };
  EXPECT_TRUE(contains(collector.texts["recall0"], record.stages[0].text));
  EXPECT_TRUE(contains(collector.texts["analyze2"], record.stages[3].text));
  EXPECT_EQ(collector.texts["answer0"], record.answer);
}

TEST_F(PipelineTest, RoomIsForTheLongestTextsUnderEveryMask) {
  Pipeline full(decoder_, parse_program(THREE_STAGES, "program.toml"));
  const QuestionRecord record = full.answer(heavier());
  int longest = 0;
  for (const StageRecord& stage : record.stages)
    longest = std::max(longest, stage.prompt_tokens + stage.tokens);
  EXPECT_GE(full.room_needed(heavier()), longest);
  EXPECT_LT(full.room_needed(heavier()), 512);
  PipelineOptions options;
  options.stages["recall"] = StageSettings::with_mask(SublayerMask::parse("f1", 3, "test"));
  Pipeline masked(decoder_, parse_program(THREE_STAGES, "program.toml"), options);
  EXPECT_EQ(masked.room_needed(heavier()), 2 * full.room_needed(heavier()));
}

TEST_F(PipelineTest, RoomCountsATextAgainWhereverItIsQuoted) {
  const auto program = [](const std::string& prompt) {
    return parse_program(
        "format = \"plain\"\n[[stage]]\nname = \"draft\"\nprompt = \"{{question}}\"\n"
        "max_tokens = 200\n[[stage]]\nname = \"check\"\nprompt = \"" +
            prompt + "\"\nmax_tokens = 50\n",
        "program.toml");
  };
  const int once = Pipeline(decoder_, program("Check.")).room_needed(heavier());
  const int twice = Pipeline(decoder_, program("Check. {{stage.draft}}")).room_needed(heavier());
  const int thrice =
      Pipeline(decoder_, program("Check. {{stage.draft}} {{stage.draft}}")).room_needed(heavier());
  EXPECT_GE(twice, once + 200);
  EXPECT_GE(thrice, twice + 200);
  EXPECT_LT(thrice, once + 420);
}

TEST_F(PipelineTest, RoomIsForTheLongestOptionsBranchToo) {
  const std::string program =
      "format = \"plain\"\n[[stage]]\nname = \"analyze\"\nfor_each = \"option\"\n"
      "prompt = \"{{question}} {{option.text}}\"\nmax_tokens = 5\n[[stage]]\n"
      "name = \"answer\"\nprompt = \"{{stage.analyze}}\"\noutput = \"choice\"\n";
  Question question = heavier();
  const int before = Pipeline(decoder_, parse_program(program, "p")).room_needed(question);
  for (int i = 0; i < 50; ++i)
    question.options.back().text += " leaf";
  EXPECT_GE(Pipeline(decoder_, parse_program(program, "p")).room_needed(question), before + 50);
}

TEST_F(PipelineTest, AChoiceByLettersNeedsNoRoomForAText) {
  const std::string stage =
      "format = \"plain\"\n[[stage]]\nname = \"answer\"\nprompt = \"{{question}} "
      "{{options}}\"\noutput = \"choice\"\nmax_tokens = 500\n";
  EXPECT_LT(Pipeline(decoder_, parse_program(stage, "p")).room_needed(heavier()), 200);
  EXPECT_GT(Pipeline(decoder_, parse_program(stage + "choice_by = \"grammar\"\n", "p"))
                .room_needed(heavier()),
            500);
}

TEST_F(PipelineTest, AnInterruptOfTheDecodersUserOutlivesQuestions) {
  Pipeline pipeline(decoder_, parse_program(THREE_STAGES, "program.toml"));
  bool stop = false;
  decoder_.set_interrupt([&] { return stop; });
  EXPECT_FALSE(pipeline.answer(heavier()).interrupted);
  stop = true;
  EXPECT_TRUE(pipeline.answer(heavier()).interrupted);
  EXPECT_TRUE(pipeline.answer(heavier()).interrupted);
}

}  // namespace
}  // namespace litestage::test
