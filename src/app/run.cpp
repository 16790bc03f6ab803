#include "app/run.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <unistd.h>

#include "app/command.h"
#include "app/run_view.h"
#include "eval/record_json.h"
#include "litestage/error.h"
#include "litestage/pipeline.h"
#include "litestage/program.h"

namespace litestage::app {
namespace {

std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free, "it is set by a signal handler");

void ask_to_stop(int signal) {
  stop_asked.store(true);
  std::signal(signal, SIG_DFL);  // a second Ctrl-C ends at once
}

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string::npos
             ? ""
             : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// The questions a call names: a set, one in the arguments, or text on the standard input.
std::vector<Question> read_questions(const RunSettings& settings) {
  if (!settings.file.empty() && !settings.question.empty()) {
    throw UserError("run", "a question and --file were given", "leave one of them out");
  }
  if (!settings.file.empty()) return load_questions(settings.file, settings.dataset);
  std::string text = settings.question;
  if (text.empty() || text == "-") {
    if (text.empty() && isatty(STDIN_FILENO) != 0) {
      throw UserError("run", "there is no question",
                      "write one behind `run`, or name a set by --file");
    }
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
    // A set and a plain question are both welcome on the standard input.
    if (trimmed(text).starts_with('{') || trimmed(text).starts_with('[')) {
      return parse_questions(text, "standard input", settings.dataset);
    }
  }
  Question question = settings.options.empty() ? split_question(trimmed(text)) : Question{};
  if (!settings.options.empty()) {
    question.text = trimmed(text);
    question.options = letter_options(settings.options);
  }
  check_question(question, "question");
  return {question};
}

/// Makes pipelines as questions ask for programs, and keeps them: their preambles stay in the
/// cache.
class Pipelines {
 public:
  Pipelines(Decoder& decoder, const RunSettings& settings)
      : decoder_(decoder), settings_(settings) {
    const int layers = decoder.model().layer_count();
    options_.settings =
        StageSettings::with_mask(SublayerMask::parse(settings.mask, layers, "--mask"));
    for (const std::string& word : settings.stage_masks) {
      const std::size_t equals = word.find('=');
      if (equals == std::string::npos || equals == 0) {
        throw UserError("--stage-mask", fmt::format("\"{}\" names no stage", word),
                        "write it like recall=a3,f10-12");
      }
      const std::string stage = word.substr(0, equals);
      options_.stages[stage] = StageSettings::with_mask(
          SublayerMask::parse(word.substr(equals + 1), layers, "--mask-" + stage));
    }
    options_.votes = settings.votes;
    options_.seed = settings.seed;
  }

  static std::string program_for(const Question& question, const RunSettings& settings) {
    if (!settings.program.empty()) return settings.program;
    if (!question.program.empty()) return question.program;
    return question.options.empty() ? "plan-solve" : "recall-analyze-answer";
  }

  Pipeline& for_question(const Question& question) {
    const std::string name = program_for(question, settings_);
    std::unique_ptr<Pipeline>& pipeline = pipelines_[name];
    if (!pipeline) pipeline = std::make_unique<Pipeline>(decoder_, load_program(name), options_);
    return *pipeline;
  }

 private:
  Decoder& decoder_;
  const RunSettings& settings_;
  PipelineOptions options_;
  std::map<std::string, std::unique_ptr<Pipeline>> pipelines_;
};

/// Finds what is wrong with any question before a model is loaded.
void check_all(const std::vector<Question>& questions, const RunSettings& settings) {
  std::map<std::string, Program> programs;
  for (const Question& question : questions) {
    const std::string name = Pipelines::program_for(question, settings);
    if (!programs.contains(name)) programs.emplace(name, load_program(name));
    check_fits(programs.at(name), question,
               question.id.empty() ? "question" : "question " + question.id);
  }
}

void print_line(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  if (std::fflush(stdout) != 0) {
    throw UserError("standard output", "it cannot be written to",
                    "check the disk, or what reads it");
  }
}

}  // namespace

Question split_question(const std::string& text) {
  Question question;
  const std::size_t first = text.find("(A)");
  if (first == std::string::npos || text.find("(B)", first) == std::string::npos) {
    question.text = text;
    return question;
  }
  question.text = trimmed(text.substr(0, first));
  std::size_t start = first;
  for (char letter = 'A'; letter <= 'Z' && start != std::string::npos; ++letter) {
    const std::size_t next = text.find(fmt::format("({})", static_cast<char>(letter + 1)), start);
    constexpr std::size_t MARK = 3;
    const std::size_t end = next == std::string::npos ? text.size() : next;
    question.options.push_back(
        {std::string(1, letter), trimmed(text.substr(start + MARK, end - start - MARK))});
    start = next;
  }
  return question;
}

int run_questions(const RunSettings& settings) {
  const std::vector<Question> questions = read_questions(settings);
  check_all(questions, settings);
  const std::shared_ptr<const Model> model =
      Model::load(find_model(settings.model), settings.model.options);
  Decoder decoder(model, settings.decoder);
  Pipelines pipelines(decoder, settings);

  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);
  RunView view(stdout);
  RunSummary summary;
  for (std::size_t i = 0; i < questions.size() && !stop_asked.load(); ++i) {
    Pipeline& pipeline = pipelines.for_question(questions[i]);
    const std::string& program = pipeline.program().name;
    if (!settings.json) view.show_question(questions[i], program, i + 1, questions.size());
    const QuestionRecord record =
        pipeline.answer(questions[i], settings.json ? nullptr : &view, &stop_asked);
    summary.add(record, program);
    if (settings.json)
      print_line(to_json_line(record, program));
    else
      view.show_answer(record);
  }
  if (settings.summary) summary.print(settings.json ? stderr : stdout);
  return stop_asked.load() ? EXIT_INTERRUPTED : EXIT_FINE;
}

}  // namespace litestage::app
