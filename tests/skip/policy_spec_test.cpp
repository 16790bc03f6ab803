// Policies as people write them.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "skip/skip_policy.h"

namespace litestage::test {
namespace {

std::string error_of(std::string_view text) {
  try {
    parse_policy(text);
  } catch (const UserError& error) {
    return error.what();
  }
  return "none";
}

const std::vector<std::string> GOOD = {"full",
                                       "full+exit",
                                       "direct",
                                       "litestage:plan.json",
                                       "litestage:a,b=c:d.json+exit",
                                       "adaskip:k=8",
                                       "adaskip:save=12.5,online=0.97,compensate=off+exit",
                                       "adaskip:online=off,k=3",
                                       "skipdecode:save=10,keep=2",
                                       "unifiedskip:k=6",
                                       "layer-early-exit:k=4",
                                       "random:k=5,seed=4294967295",
                                       "requant:Q4_0",
                                       "model:smollm2-135m"};

TEST(ParsePolicy, ReadsNameOperandParametersAndExit) {
  for (const std::string& text : GOOD)
    EXPECT_EQ(parse_policy(text).text, text);
  const PolicySpec adaskip = parse_policy(GOOD[6]);
  EXPECT_EQ(adaskip.name, "adaskip");
  EXPECT_EQ(adaskip.operand, "");
  EXPECT_TRUE(adaskip.exit);
  const std::map<std::string, std::string> parameters = {
      {"save", "12.5"}, {"online", "0.97"}, {"compensate", "off"}};
  EXPECT_EQ(adaskip.parameters, parameters);
  const PolicySpec plan = parse_policy(GOOD[4]);
  EXPECT_EQ(plan.operand, "a,b=c:d.json");
  EXPECT_TRUE(plan.exit);
  EXPECT_TRUE(plan.parameters.empty());
  EXPECT_FALSE(parse_policy("full").exit);
  EXPECT_EQ(parse_policy("requant:q5_k_m").operand, "Q5_K_M") << "as libllama writes it";
}

TEST(ParsePolicy, SaysWhatIsWrongAndHowToWriteIt) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"", "there is no policy \"\""},
      {"adaskop:k=8",
       "the policies are full, direct, litestage, adaskip, skipdecode, unifiedskip, "
       "layer-early-exit, random, requant, model"},
      {"adaskip", "no budget"},
      {"adaskip:", "\"\" is no KEY=VALUE"},
      {"adaskip:8", "\"8\" is no KEY=VALUE"},
      {"adaskip:k=8,", "\"\" is no KEY=VALUE"},
      {"adaskip:k=8,save=10", "two budgets"},
      {"adaskip:online=0.9", "write adaskip:k=N|save=PERCENT"},
      {"adaskip:k=8,k=9", "twice"},
      {"adaskip:k=8,seed=1", "adaskip has no parameter \"seed\""},
      {"adaskip:k=8,online=1.5", "a cosine from 0 to 1, or off"},
      {"adaskip:k=8,compensate=maybe", "on or off"},
      {"skipdecode:k=8,keep=-1", "a number of layers"},
      {"random:k=8,seed=4294967296", "below 2^32"},
      {"random:k=0", "a number of sublayers from 1"},
      {"random:k=1025", "a number of sublayers from 1"},
      {"random:k=eight", "k cannot be \"eight\""},
      {"random:k=+8", "k cannot be \"+8\""},
      {"random:k=", "k cannot be \"\""},
      {"random:k=8 ", "k cannot be \"8 \""},
      {"random:save=0", "a percentage between 0 and 100"},
      {"random:save=100", "a percentage between 0 and 100"},
      {"random:save=nan", "a percentage between 0 and 100"},
      {"random:save=1e1", "a percentage between 0 and 100"},
      {"random:save=1.2.3", "a percentage between 0 and 100"},
      {"full:", "\"\" is no KEY=VALUE"},
      {"full:k=8", "full has no parameter \"k\""},
      {"full+exit+exit", "only +exit"},
      {"full+early", "only +exit"},
      {"litestage", "a plan's file is missing"},
      {"litestage:", "a plan's file is missing"},
      {"litestage:+exit", "a plan's file is missing"},
      {"requant:Q9", "use one of "},
      {"model", "a model's name or file is missing"},
      {"full\n", "no plain text"},
      {"model:\xff", "no plain text"},
  };
  for (const auto& [text, part] : bad) {
    const std::string error = error_of(text);
    EXPECT_NE(error.find(part), std::string::npos) << text << ": " << error;
    EXPECT_TRUE(error.starts_with("policy ")) << error;
  }
}

TEST(ParsePolicy, AnyTextIsAPolicyOrAUserError) {
  std::mt19937 random(11);
  constexpr std::string_view BYTES = ":,=+k8.0e-x\n\xff";
  int refused = 0;
  int read = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = GOOD[random() % GOOD.size()];
    for (std::uint32_t edits = random() % 4; edits > 0; --edits) {
      const std::size_t at = random() % (text.size() + 1);
      const char byte = BYTES[random() % BYTES.size()];
      switch (random() % 3) {
        case 0:
          text.insert(at, 1, byte);
          break;
        case 1:
          text.erase(at, 1);
          break;
        default:
          text.insert(at, GOOD[random() % GOOD.size()].substr(0, random() % 8));
      }
    }
    try {
      const PolicySpec spec = parse_policy(text);
      EXPECT_EQ(spec.text, text);
      EXPECT_TRUE(spec.parameters.contains("k") || spec.parameters.contains("save") ||
                  spec.parameters.empty());
      ++read;
    } catch (const UserError& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      ++refused;
    }
  }
  EXPECT_GT(read, 1000);
  EXPECT_GT(refused, 1000);
}

TEST(PolicyHelp, NamesEveryPolicyInAFormThatIsRead) {
  std::string names;
  for (const PolicyHelp& help : policy_help()) {
    const std::string name = help.form.substr(0, help.form.find(':'));
    names += name + " ";
    EXPECT_EQ(error_of(name).find("there is no policy"), std::string::npos) << name;
    EXPECT_FALSE(help.text.empty()) << name;
    EXPECT_EQ(help.citation.empty(), name == "model") << name;
  }
  EXPECT_EQ(names,
            "full direct litestage adaskip skipdecode unifiedskip layer-early-exit random requant "
            "model ");
}

}  // namespace
}  // namespace litestage::test
