#include "app/eval_tasks.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/shuffle.h"
#include "eval/eval_record.h"
#include "litestage/dataset.h"
#include "litestage/error.h"

namespace litestage::app {
namespace {

const std::map<std::string, DatasetFormat> KNOWN_TASKS = {{"openbookqa", DatasetFormat::choices},
                                                          {"commonsenseqa", DatasetFormat::choices},
                                                          {"strategyqa", DatasetFormat::strategyqa},
                                                          {"gsm8k", DatasetFormat::gsm8k}};

struct TaskFile {
  std::string name;
  std::string path;
};

bool is_task_name(const std::string& name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

TaskFile parse_task(const std::string& word) {
  const std::size_t colon = word.find(':');
  TaskFile task{word.substr(0, colon), colon == std::string::npos ? "" : word.substr(colon + 1)};
  if (is_task_name(task.name) && !task.path.empty()) return task;
  throw UserError("--tasks", fmt::format("\"{}\" is no NAME:PATH", word),
                  "write it like openbookqa:test.jsonl");
}

std::vector<TaskFile> parse_tasks(const std::vector<std::string>& words) {
  std::vector<TaskFile> tasks;
  for (const std::string& word : words) {
    for (std::size_t begin = 0; begin <= word.size();) {
      const std::size_t end = std::min(word.find(',', begin), word.size());
      TaskFile task = parse_task(word.substr(begin, end - begin));
      for (const TaskFile& other : tasks) {
        if (other.name == task.name) {
          throw UserError("--tasks", fmt::format("{} is there twice", task.name),
                          "give one of the two another name");
        }
      }
      tasks.push_back(std::move(task));
      begin = end + 1;
    }
  }
  return tasks;
}

std::vector<Question> read_set(const TaskFile& file) {
  DatasetOptions options;
  const auto known = KNOWN_TASKS.find(file.name);
  if (known != KNOWN_TASKS.end()) options.format = known->second;
  try {
    return load_questions(file.path, options);
  } catch (const UserError& error) {
    if (known == KNOWN_TASKS.end()) throw;
    throw UserError("", error.what(),
                    fmt::format("{} is read in its published format, any other task name with any "
                                "format",
                                file.name));
  }
}

/// The hashes of the questions of a task that other runs have answered, by any policy.
std::set<std::string> answered_elsewhere(const std::vector<EvalRun>& others,
                                         const std::string& task) {
  std::set<std::string> hashes;
  for (const EvalRun& run : others) {
    for (const EvalRecord& record : run.records) {
      if (run.header.arms[static_cast<std::size_t>(record.arm)].task == task)
        hashes.insert(record.question_hash);
    }
  }
  return hashes;
}

/// The part, then the order, then offset, exceptions and limit: as they stand in the documentation.
std::vector<Question> choose(std::vector<Question> questions, const EvalSettings& settings,
                             const std::vector<EvalRun>& others, const TaskFile& file) {
  questions = questions_in(settings.part, std::move(questions));
  if (settings.shuffle) shuffle(questions, settings.seed);
  const std::size_t in_part = questions.size();
  const std::size_t passed = std::min(settings.offset, in_part);
  questions.erase(questions.begin(), questions.begin() + static_cast<std::ptrdiff_t>(passed));
  const std::set<std::string> elsewhere = answered_elsewhere(others, file.name);
  const auto excepted = std::erase_if(questions, [&elsewhere](const Question& question) {
    return elsewhere.contains(question_hash(question));
  });
  if (questions.empty()) {
    throw UserError(file.path,
                    fmt::format("no question is left: --split leaves {}, --offset passes over {}, "
                                "--except over {}",
                                in_part, settings.offset, excepted),
                    "widen them");
  }
  if (questions.size() > settings.limit)
    questions.erase(questions.begin() + static_cast<std::ptrdiff_t>(settings.limit),
                    questions.end());
  return questions;
}

/// The program that flags name for a task; empty when they name none.
std::string named_program(const std::vector<std::string>& words, const std::string& task) {
  std::string for_all;
  for (const std::string& word : words) {
    if (word.starts_with(task + "=")) return word.substr(task.size() + 1);
    if (word.find('=') == std::string::npos) for_all = word;
  }
  return for_all;
}

std::string program_for(const std::vector<Question>& questions, const std::string& named,
                        const std::string& task) {
  const Question& first = questions.front();
  const bool one_kind = std::ranges::all_of(questions, [&first](const Question& question) {
    return question.options.empty() == first.options.empty();
  });
  if (!one_kind) {
    throw UserError("task " + task, "some of its questions have options and some have none",
                    "make two tasks of them");
  }
  if (!named.empty()) return named;
  const bool one_program = std::ranges::all_of(
      questions, [&first](const Question& question) { return question.program == first.program; });
  if (one_program && !first.program.empty()) return first.program;
  return usual_program(first);
}

void check_programs(const std::vector<std::string>& words, const std::vector<TaskFile>& tasks) {
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = word.substr(0, equals);
    if (std::ranges::none_of(tasks, [&](const TaskFile& task) { return task.name == name; })) {
      throw UserError("--program", fmt::format("there is no task {}", name),
                      "name one of --tasks before the =");
    }
  }
}

LoadedTask load_task(const TaskFile& file, const EvalSettings& settings,
                     const std::vector<EvalRun>& others) {
  LoadedTask loaded;
  std::vector<Question> questions = read_set(file);
  for (const Question& question : questions)
    loaded.whole.insert(question_hash(question));
  loaded.task = {file.name, choose(std::move(questions), settings, others, file)};
  const std::vector<Question>& chosen = loaded.task.questions;
  loaded.program_name = program_for(chosen, named_program(settings.programs, file.name), file.name);
  loaded.program = load_program(loaded.program_name);
  loaded.direct = load_program(chosen.front().options.empty() ? "direct-number" : "direct");
  for (const Question& question : chosen)
    check_fits(loaded.program, question, "question " + question.id);
  return loaded;
}

}  // namespace

std::vector<LoadedTask> load_tasks(const EvalSettings& settings,
                                   const std::vector<EvalRun>& others) {
  const std::vector<TaskFile> files = parse_tasks(settings.tasks);
  check_programs(settings.programs, files);
  std::vector<LoadedTask> tasks;
  tasks.reserve(files.size());
  for (const TaskFile& file : files)
    tasks.push_back(load_task(file, settings, others));
  return tasks;
}

}  // namespace litestage::app
