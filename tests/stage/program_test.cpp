#include "litestage/program.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "litestage/error.h"

namespace litestage {
namespace {

constexpr const char* GOOD = R"(name = "good"
format = "plain"
preamble = "Hello.\n"
answer = "sum"

[[stage]]
name = "each"
prompt = "{{question}}\n({{ option.letter }}) {{option.text}}:"
for_each = "option"
stop = ["\n", "Q:"]
max_tokens = 7

[[stage]]
name = "sum"
prompt = '''
{{stage.each}}
{{options.inline}}
'''
begin = "So"
output = "choice"
choice_by = "grammar"
temperature = 1
top_k = 5
top_p = 0.5
min_p = 0.1
repeat_penalty = 1.1
)";

TEST(Program, ReadsEveryKey) {
  const Program program = parse_program(GOOD, "good.toml");
  EXPECT_EQ(program.name, "good");
  EXPECT_EQ(program.format, ProgramFormat::plain);
  EXPECT_EQ(program.preamble, "Hello.\n");
  EXPECT_EQ(program.answer_stage, "sum");
  ASSERT_EQ(program.stages.size(), 2U);
  const Stage& each = program.stages[0];
  EXPECT_TRUE(each.for_each_option);
  EXPECT_EQ(each.stop, (std::vector<std::string>{"\n", "Q:"}));
  EXPECT_EQ(each.max_tokens, 7);
  EXPECT_EQ(each.sampler, SamplerOptions{});
  const Stage& sum = program.stages[1];
  EXPECT_EQ(sum.prompt, "{{stage.each}}\n{{options.inline}}\n");
  EXPECT_EQ(sum.begin, "So");
  EXPECT_EQ(sum.output, OutputKind::choice);
  EXPECT_EQ(sum.choice_by, ChoiceBy::grammar);
  EXPECT_EQ(sum.sampler, (SamplerOptions{1.0F, 5, 0.5F, 0.1F, 1.1F, 0}));
  EXPECT_EQ(program.find("each"), &each);
  EXPECT_EQ(program.find("other"), nullptr);
}

TEST(Program, TakesItsNameFromTheFile) {
  const Program program =
      parse_program("[[stage]]\nname = 'a'\nprompt = '{{question}}'\n", "folder/my-way.toml");
  EXPECT_EQ(program.name, "my-way");
  EXPECT_EQ(program.format, ProgramFormat::chat);
  EXPECT_EQ(program.answer_stage, "a");
}

std::string fault(std::string_view toml, const std::filesystem::path& folder = {}) {
  try {
    parse_program(toml, "p", folder);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no fault";
}

struct FaultCase {
  std::string toml;
  std::string error;  // how the message begins
};

void expect_faults(const std::vector<FaultCase>& cases) {
  for (const FaultCase& c : cases) {
    EXPECT_TRUE(fault(c.toml).starts_with(c.error))
        << c.toml << "\n  gave " << fault(c.toml) << "\n  not  " << c.error;
  }
}

/// A stage "s" with more lines, the first of which is line 4 of the program.
std::string stage_with(const std::string& lines) {
  return "[[stage]]\nname = \"s\"\nprompt = \"{{question}}\"\n" + lines + "\n";
}

TEST(ProgramFaults, Form) {
  expect_faults({
      {"", "p:1:1: the program has no [[stage]]; add one"},
      {"name = ", "p:1:8: no valid TOML: "},
      {"name = \"a\nb\"", "p:1:10: no valid TOML: "},
      {"name = \"\xFF\"", "p:1:9: invalid UTF-8"},
      {std::string("name = 'a'\n\0", 12), "p:2:1: no valid TOML: a NUL byte"},
      {"name = 'a'\nname = 'b'", "p:2:8: no valid TOML: "},
      {"stage = 3", "p:1:9: 'stage' is no list of tables"},
      {"stage = []", "p:1:9: 'stage' is no list of tables"},
      {"stage = [1]", "p:1:9: 'stage' is no list of tables"},
      {"[stage]\nname = 's'", "p:1:1: 'stage' is no list of tables"},
      {"[[stage]]\nprompt = 'x'", "p:1:1: a stage has no 'name'; add it"},
      {"[[stage]]\nname = 's'", "p:1:1: a stage has no 'prompt'; add it"},
  });
}

TEST(ProgramFaults, KeysAndTypes) {
  expect_faults({
      {"nam = 'x'\n" + stage_with(""),
       "p:1:1: unknown key 'nam' in a program; the keys there are name, description, "},
      {stage_with("zeta = 1\nalpha = 2"), "p:4:1: unknown key 'zeta' in a stage"},
      {"name = 3\n" + stage_with(""), "p:1:8: 'name' is a whole number; it must be a text"},
      {"name = 'A b'\n" + stage_with(""), "p:1:8: 'A b' is no name"},
      {"name = ''\n" + stage_with(""), "p:1:8: '' is no name"},
      {"format = 'html'\n" + stage_with(""),
       "p:1:10: 'format' cannot be 'html'; it is one of 'chat', 'plain'"},
      {"description = ['x']\n" + stage_with(""), "p:1:15: 'description' is a list"},
      {stage_with("stop = 'x'"), "p:4:8: 'stop' is a text; it must be a list of texts"},
      {stage_with("stop = ['x',\n  2]"), "p:5:3: 'stop' is a whole number"},
      {stage_with("stop = ['x', '']"), "p:4:14: 'stop' has an empty text"},
      {stage_with("max_tokens = 0"), "p:4:14: 'max_tokens' is 0; it must lie between 1 and 32768"},
      {stage_with("max_tokens = 9.5"), "p:4:14: 'max_tokens' is a number"},
      {stage_with("temperature = -1"), "p:4:15: 'temperature' is -1; it must lie between 0 and 10"},
      {stage_with("temperature = nan"), "p:4:15: 'temperature' is nan"},
      {stage_with("top_p = true"), "p:4:9: 'top_p' is true or false; it must be a number"},
      {stage_with("top_k = 99999999999"), "p:4:9: 'top_k' is 99999999999"},
      {stage_with("for_each = 'word'"), "p:4:12: 'for_each' cannot be 'word'"},
      {stage_with("begin = 1979-05-27"), "p:4:9: 'begin' is a date or time"},
      {"[[stage]]\nname = ''\nprompt = 'x'", "p:2:8: 'name' is empty"},
      {"[[stage]]\nname = 's'\nprompt = ' '", "p:3:10: 'prompt' is blank"},
      {"[[stage]]\nname = 's'\nprompt = 'x'\n[[stage]]\nname = 's'\nprompt = 'y'",
       "p:5:8: there are two stages 's'; rename one"},
  });
}

TEST(ProgramFaults, Outputs) {
  expect_faults({
      {stage_with("output = 'letter'"), "p:4:10: 'output' cannot be 'letter'; it is one of 'text'"},
      {stage_with("choice_by = 'logits'"), "p:4:13: 'choice_by' without output = \"choice\""},
      {stage_with("output = 'choice'\nchoice_by = 'luck'"), "p:5:13: 'choice_by' cannot be 'luck'"},
      {stage_with("pattern = 'x'"), "p:4:11: 'pattern' without output = \"pattern\""},
      {stage_with("output = 'pattern'"), "p:1:1: a stage has no 'pattern'"},
      {stage_with("output = 'pattern'\npattern = '(a'"), "p:5:11: 'pattern' cannot be used: "},
      {stage_with("output = 'pattern'\npattern = '" + std::string(201, 'a') + "'"),
       "p:5:11: 'pattern' cannot be used: it is longer than 200 bytes"},
      {stage_with("output = 'pattern'\npattern = '((a?){9}){2,9}'"),
       "p:5:11: 'pattern' cannot be used: its counts in braces"},
      {stage_with("output = 'pattern'\npattern = '(a)\\1'"), "p:5:11: 'pattern' cannot be used: "},
      {stage_with("output = 'pattern'\npattern = '('"), "p:5:11: 'pattern' cannot be used: "},
      {stage_with("for_each = 'option'\noutput = 'number'"),
       "p:5:10: a for_each stage's output is its texts"},
      {"answer = 'x'\n" + stage_with(""), "p:1:10: there is no stage 'x'"},
      {"answer = 's'\n" + stage_with("for_each = 'option'"),
       "p:1:10: stage 's' writes a text an option"},
  });
}

TEST(ProgramFaults, Variables) {
  expect_faults({
      {"preamble = \"a\\n {{question}}\"\n" + stage_with(""),
       "p:1:17: the preamble quotes 'question'; it is the same for all questions"},
      {"[[stage]]\nname = 's'\nprompt = '{{question}} {{qestion}}'",
       "p:3:24: unknown variable 'qestion'; there are question, options, "},
      {"[[stage]]\nname = 's'\nprompt = '''\n\u00E4\u00F6 {{question}}\n\u00FC {{ no }}'''",
       "p:5:3: unknown variable 'no'"},
      {"[[stage]]\nname = 's'\nprompt = \"\"\"\nA \\\n   line {{no}}\"\"\"",
       "p:5:9: unknown variable 'no'"},
      // The braces are written as escapes, so only the text they are in can be named.
      {"[[stage]]\nname = 's'\nprompt = \"x \\u007b\\u007bno}}\"", "p:3:10: unknown variable 'no'"},
      {stage_with("begin = 'x {{}}'"), "p:4:12: unknown variable ''"},
      {stage_with("begin = 'x {{question'"), "p:4:12: '{{' without its '}}'"},
      {stage_with("begin = '{{question {{options}}'"), "p:4:10: '{{' without its '}}'"},
      {stage_with("begin = '{{option.letter}}'"),
       "p:4:10: 'option.letter' in stage 's', which has no for_each"},
      {stage_with("begin = '{{stage.}}'"), "p:4:10: unknown variable 'stage.'"},
      {stage_with("begin = '{{stage.x}}'"), "p:4:10: there is no stage 'x' to quote"},
  });
}

TEST(ProgramFaults, Order) {
  const std::string second = "[[stage]]\nname = 't'\nprompt = 'go on {{question}}'\n";
  expect_faults({
      {stage_with("begin = '{{stage.s}}'"), "p:4:10: stage 's' quotes itself"},
      {stage_with("begin = '{{stage.t}}'") + second,
       "p:4:10: stage 's' quotes 't', which comes after it"},
      {stage_with("for_each = 'option'") + second,
       "p:2:8: nothing reads what stage 's' writes for each option; quote it in a later stage as "
       "{{stage.s}}"},
      {second + stage_with("for_each = 'option'"),
       "p:5:8: nothing reads what stage 's' writes for each option; add a stage that quotes it"},
      // A for_each stage that only another unread one quotes is not read either; the later is
      // named.
      {stage_with("for_each = 'option'") +
           "[[stage]]\nname = 'u'\nprompt = '{{stage.s}}'\nfor_each = 'option'\n" + second,
       "p:6:8: nothing reads what stage 'u'"},
  });
}

/// A folder of its own that goes when the test ends.
class ProgramFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("litestage_programs_" + std::to_string(::getpid()) + "_" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  std::filesystem::path folder_;
};

constexpr const char* WITH_SHOTS = R"(demonstrations = "d.json"
shots = 1
preamble = "P\n"
[demonstration]
template = "{{question}} {{options.inline}} [{{analyses}}] {{steps}} {{answer}}\n"
[[stage]]
name = "s"
prompt = "{{question}}"
)";

constexpr const char* DEMONSTRATIONS = R"([
  {"question": "Q1", "options": ["x", "y"], "analyses": ["no", "yes"], "steps": 3, "answer": "B"},
  {"question": "Q2", "options": ["u", "v"], "analyses": ["a", "b"], "steps": 4, "answer": "A"}
])";

TEST_F(ProgramFiles, DemonstrationsFollowThePreamble) {
  write("d.json", DEMONSTRATIONS);
  EXPECT_EQ(parse_program(WITH_SHOTS, "p", folder_).preamble,
            "P\nQ1 (A) x (B) y [(A) no\n(B) yes] 3 B\n");
  std::string all = WITH_SHOTS;
  all.replace(all.find("shots = 1"), 9, "shots = 2");
  EXPECT_EQ(parse_program(all, "p", folder_).preamble,
            "P\nQ1 (A) x (B) y [(A) no\n(B) yes] 3 B\nQ2 (A) u (B) v [(A) a\n(B) b] 4 A\n");
}

TEST_F(ProgramFiles, DemonstrationsInTheAuthorsForm) {
  write("d.json", R"([{"Q": "Who?", "Options": "A. you, me, B. them", "Key Information": "K.",
    "Explanations": ["A is incorrect. Because x.", "B is correct. Because y."], "Reference": "C"}])");
  const std::string toml =
      "demonstrations = 'd.json'\n[demonstration]\ntemplate = "
      "\"{{question}}|{{options}}|{{recall}}|"
      "{{analyses.inline}}|{{answer}}\"\n" +
      stage_with("");
  EXPECT_EQ(
      parse_program(toml, "p", folder_).preamble,
      "Who?|(A) you, me\n(B) them|K.|(A) is incorrect. Because x. (B) is correct. Because y.|B");
}

TEST_F(ProgramFiles, DemonstrationFaults) {
  const std::string file = (folder_ / "d.json").string();
  EXPECT_TRUE(fault(WITH_SHOTS, folder_).starts_with("p:1:18: " + file + ": there is no such file"))
      << fault(WITH_SHOTS, folder_);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", "p:1:18: " + file + ": there are no demonstrations"},
      {"[{\"question\": 1},\n  3]", file + ":2:3: a demonstration must be an object"},
      {"[{\"question\": x}]", file + ":1:15: no valid JSON: "},
      {"[{\"question\": {}}]", file + ":1:2: 'question' must be a text"},
      {"[\n{\"options\": [1]}]", file + ":2:1: 'options' must be a list of texts"},
      {"[{\"question\": \"q\"}]",
       "p:5:26: unknown variable 'options.inline'; demonstration 1 has "
       "question"},
      {"[{\"Q\": \"q\"}]", file + ":1:2: the demonstration has no text 'Key Information'"},
      {"[{\"Q\": \"q\", \"Key Information\": \"\", \"Options\": \"x\"}]",
       file + ":1:2: 'Options' must begin with 'A. '"},
  };
  for (const auto& [json, error] : cases) {
    write("d.json", json);
    EXPECT_TRUE(fault(WITH_SHOTS, folder_).starts_with(error))
        << json << " gave " << fault(WITH_SHOTS, folder_);
  }
  write("d.json", DEMONSTRATIONS);
  expect_faults({
      {"shots = 1\n" + stage_with(""), "p:1:9: 'shots' without 'demonstrations'"},
      {"demonstrations = 'd.json'\n" + stage_with(""), "p:1:18: no [demonstration] says how"},
  });
  std::string many = WITH_SHOTS;
  many.replace(many.find("shots = 1"), 9, "shots = 3");
  EXPECT_EQ(fault(many, folder_), "p:2:9: 'shots' is 3; it must lie between 0 and 2");
}

TEST_F(ProgramFiles, ByNameOrPath) {
  write("mine.toml", stage_with("max_tokens = 3"));
  write("broken.toml", "x = 1\n");
  const std::string path = (folder_ / "mine.toml").string();
  EXPECT_EQ(load_program(path).stages.at(0).max_tokens, 3);
  EXPECT_THROW(load_program((folder_ / "none.toml").string()), UserError);
  EXPECT_THROW(load_program(folder_.string()), UserError);
  ::setenv("LITESTAGE_PROGRAMS", folder_.c_str(), 1);
  EXPECT_EQ(shipped_programs(), (std::vector<std::string>{"broken", "mine"}));
  EXPECT_EQ(load_program("mine").name, "mine");
  try {
    load_program("yours");
    ADD_FAILURE();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "yours: there is no such program; there are broken, mine; or give the "
                 "path of a .toml file");
  }
  ::unsetenv("LITESTAGE_PROGRAMS");
}

TEST(Program, HashCoversWhatShapesPromptsAlone) {
  const std::string hash = parse_program(GOOD, "good.toml").hash;
  EXPECT_EQ(hash.size(), 64U);
  EXPECT_EQ(parse_program(GOOD, "other.toml").hash, hash);
  const std::vector<std::pair<std::string, std::string>> edits = {
      {"Hello", "Hallo"},
      {"\"plain\"", "\"chat\""},
      {"Q:", "R:"},
      {"= 7", "= 8"},
      {"begin = \"So\"", "begin = \"Thus\""},
      {"\"grammar\"", "\"logits\""},
      {"= 1.1", "= 1.2"},
      {"{{question}}", "{{question}} "},
      {"top_k = 5", "top_k = 6"}};
  for (const auto& [from, to] : edits) {
    std::string changed = GOOD;
    changed.replace(changed.find(from), from.size(), to);
    EXPECT_NE(parse_program(changed, "good.toml").hash, hash) << to;
  }
  std::string renamed = GOOD;
  renamed.replace(renamed.find("\"good\""), 6, "\"fine\"");
  EXPECT_EQ(parse_program(renamed, "good.toml").hash, hash);
}

TEST(ShippedPrograms, AllLoadUnderTheirOwnNames) {
  const std::vector<std::string> names = shipped_programs();
  EXPECT_EQ(names,
            (std::vector<std::string>{"direct", "direct-number", "plan-solve",
                                      "recall-analyze-answer", "support-triage", "tinythinker"}));
  for (const std::string& name : names) {
    const Program program = load_program(name);
    EXPECT_EQ(program.name, name);
    EXPECT_FALSE(program.description.empty()) << name;
  }
}

TEST(ShippedPrograms, FitTheQuestionsTheyAreFor) {
  Question number;
  number.text = "How many?";
  Question choice = number;
  choice.options = letter_options({"one", "two"});
  for (const char* name : {"tinythinker", "recall-analyze-answer", "direct"}) {
    const Program program = load_program(name);
    EXPECT_NO_THROW(check_fits(program, choice, "q")) << name;
    EXPECT_THROW(check_fits(program, number, "q"), UserError) << name;
  }
  for (const char* name : {"plan-solve", "direct-number", "support-triage"}) {
    EXPECT_NO_THROW(check_fits(load_program(name), number, "q")) << name;
  }
}

}  // namespace
}  // namespace litestage
