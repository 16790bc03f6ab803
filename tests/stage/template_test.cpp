#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "litestage/program.h"
#include "stage/template.h"

namespace litestage {
namespace {

Question lamp_question() {
  Question question;
  question.text = "What gives light?";
  question.options = letter_options({"a lamp", "a stone", "{{question}}"});
  return question;
}

TEST(Template, EveryVariable) {
  const Question question = lamp_question();
  TemplateValues values;
  values.question = &question;
  values.option = &question.options[1];
  values.stages = {{"recall", "Lamps glow."}, {"analyze", "(A) yes\n(B) no"}};
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"no variable } { }}", "no variable } { }}"},
      {"{{question}}", "What gives light?"},
      {"a {{ question }} b", "a What gives light? b"},
      {"{{options}}", "(A) a lamp\n(B) a stone\n(C) {{question}}"},
      {"{{options.inline}}", "(A) a lamp (B) a stone (C) {{question}}"},
      {"({{option.letter}}) {{option.text}}", "(B) a stone"},
      {"{{stage.recall}}|{{stage.analyze}}", "Lamps glow.|(A) yes\n(B) no"},
      {"{{question}}{{question}}", "What gives light?What gives light?"},
  };
  for (const auto& [source, text] : cases)
    EXPECT_EQ(render_template(source, values), text);
}

TEST(Template, BranchesAreOneLineEach) {
  const Question question = lamp_question();
  EXPECT_EQ(join_branches(question.options, {" It glows.\n", "It is\n  dark.", ""}),
            "(A) It glows.\n(B) It is dark.\n(C) ");
}

RC_GTEST_PROP(Template, PutsAnyTextInUnchanged, (const std::string& text)) {
  Question question;
  question.text = text;
  TemplateValues values;
  values.question = &question;
  RC_ASSERT(render_template("<{{question}}>{{ question }}", values) == "<" + text + ">" + text);
}

/// Texts with no braces of their own, so that every brace left over comes from the template.
rc::Gen<std::string> plain_text() {
  return rc::gen::nonEmpty(rc::gen::container<std::string>(
      rc::gen::oneOf(rc::gen::inRange('a', 'z'), rc::gen::element('\n', ' ', '(', '%', '"'))));
}

RC_GTEST_PROP(ShippedPrograms, LeaveNoBracesBehind, ()) {
  static const std::vector<std::string> NAMES = shipped_programs();
  const Program program = load_program(*rc::gen::elementOf(NAMES));
  Question question;
  question.text = *plain_text();
  const auto count = *rc::gen::inRange<std::size_t>(2, 27);
  question.options =
      letter_options(*rc::gen::container<std::vector<std::string>>(count, plain_text()));
  TemplateValues values;
  values.question = &question;
  for (const Stage& stage : program.stages) {
    values.option = stage.for_each_option ? &question.options.back() : nullptr;
    for (const std::string& source : {stage.prompt, stage.begin}) {
      const std::string text = render_template(source, values);
      RC_ASSERT(text.find("{{") == std::string::npos);
      RC_ASSERT(text.find("}}") == std::string::npos);
    }
    values.stages.emplace_back(stage.name, *plain_text());
  }
}

TEST(Template, QuestionPart) {
  const std::pair<const char*, const char*> parts[] = {
      {"Q: {{question}}\n{{options}}\nRecall:", "Q: {{question}}\n{{options}}"},
      {"{{ options.inline }} {{ question }}, {{options}}", "{{ options.inline }} {{ question }}"},
      {"{{question}} alone", ""},
      {"{{options}} alone", ""},
      {"({{option.letter}}) {{question}} {{options}}", ""},
      {"{{stage.recall}} {{question}} {{options}}", ""},
      {"", ""}};
  for (const auto& [prompt, part] : parts)
    EXPECT_EQ(question_part(prompt), part) << prompt;
}

TEST(ShippedPrograms, TinyThinkerReadsAsItsAuthorsWrite) {
  const Program program = load_program("tinythinker");
  const Question question = lamp_question();
  TemplateValues values;
  values.question = &question;
  EXPECT_EQ(program.preamble.find("{{"), std::string::npos);
  EXPECT_EQ(render_template(program.stages.at(0).prompt, values),
            "Question: What gives light?\n(A) a lamp\n(B) a stone\n(C) {{question}}\nRecall:");
  values.stages = {{"recall", " Lamps glow."}};
  values.option = &question.options[1];
  EXPECT_EQ(render_template(program.stages.at(1).prompt, values), "\nAnalyze:\n(B)");
  values.stages.emplace_back("analyze", "(A) yes\n(B) no");
  EXPECT_EQ(render_template(program.stages.at(2).prompt, values),
            "\nAnalyze:\n(A) yes\n(B) no\nSummarize:");
  // The demonstrations show the same three steps, and the summary is read as it is written there.
  EXPECT_NE(program.preamble.find("\nRecall: "), std::string::npos);
  const std::size_t summary = program.preamble.find("\nSummarize: ");
  ASSERT_NE(summary, std::string::npos);
  EXPECT_EQ(read_value(program.stages.at(2), question, program.preamble.substr(summary, 60)), "B");
}

}  // namespace
}  // namespace litestage
