#include "support/search_verbs.h"

#include <algorithm>
#include <cstddef>

#include "support/calibration.h"
#include "support/run_program.h"
#include "support/temporary.h"
#include "support/tiny_model.h"

namespace litestage::test {

SearchVerbs::SearchVerbs() {
  write_file(folder_ / "six.jsonl", questions(3));
  write_file(folder_ / "many.jsonl", questions(40));
}

std::string SearchVerbs::questions(int ways, const std::string& before) {
  std::vector<Question> questions;
  for (int i = 0; i < ways; ++i) {
    for (Question question : calibration_questions()) {
      question.text = before + question.text + std::string(static_cast<std::size_t>(i), '!');
      questions.push_back(question);
    }
  }
  return question_lines(questions);
}

std::vector<std::string> SearchVerbs::call(const std::string& verb,
                                           const std::vector<std::string>& more,
                                           const std::string& set,
                                           const std::string& output) const {
  std::vector<std::string> words = {verb, "-m", path("tiny.gguf"), "-t", "1", "--max-loss", "100"};
  const std::vector<std::vector<std::string>> flags = {
      {"--program", path("three.toml")}, {"--questions", path(set)}, {"-o", path(output)}};
  for (const std::vector<std::string>& flag : flags)
    words.insert(words.end(), flag.begin(), flag.end());
  if (std::ranges::find(more, "--start") == more.end())
    words.insert(words.end(), {"--candidates", "2", "--max-damage", "50"});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

void SearchVerbs::profile() const {
  const ProgramResult result = run_program(
      {"profile", "-m", path("tiny.gguf"), "--program", path("three.toml"), "--questions",
       path("six.jsonl"), "-t", "1", "--timing-seconds", "1", "-o", path("plan.importance.json")});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
}

std::vector<std::string> SearchVerbs::tune_with_preview() const {
  TinyOptions wide;
  wide.vocab = 4096;
  TinyModel(wide).write(folder_ / "tiny.gguf");
  profile();
  std::string set = questions(3);
  for (int i = 0; i < 26; ++i)
    set += questions(1, std::string(400, static_cast<char>('a' + i)) + " ");
  write_file(folder_ / "long.jsonl", set);
  return call("tune",
              {"--timed-questions", "0", "--no-exit", "--limit", "6", "--method", "paper",
               "--max-skipped", "1"},
              "long.jsonl");
}

}  // namespace litestage::test
