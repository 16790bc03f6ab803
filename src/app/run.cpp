#include "app/run.h"

#include <atomic>
#include <cstdio>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "app/command.h"
#include "app/output_file.h"
#include "app/run_plan.h"
#include "app/run_view.h"
#include "app/stop_signal.h"
#include "base/text_file.h"
#include "eval/record_json.h"
#include "litestage/error.h"
#include "litestage/pipeline.h"
#include "litestage/program.h"

namespace litestage::app {
namespace {

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
  Question question =
      settings.options.empty() ? split_question(std::string(trimmed(text))) : Question{};
  if (!settings.options.empty()) {
    question.text = trimmed(text);
    question.options = letter_options(settings.options);
  }
  check_question(question, "question");
  return {question};
}

std::string program_for(const Question& question, const RunSettings& settings) {
  if (!settings.program.empty()) return settings.program;
  if (!question.program.empty()) return question.program;
  if (!settings.plan_program.empty()) return settings.plan_program;
  return usual_program(question);
}

/// Makes pipelines as questions ask for programs, and keeps them: their preambles stay in the
/// cache.
class Pipelines {
 public:
  /// @param options of a program's pipeline
  Pipelines(Decoder& decoder, const RunSettings& settings,
            std::function<PipelineOptions(const std::string&)> options)
      : decoder_(decoder), settings_(settings), options_(std::move(options)) {}

  Pipeline& for_question(const Question& question) {
    const std::string name = program_for(question, settings_);
    std::unique_ptr<Pipeline>& pipeline = pipelines_[name];
    if (!pipeline)
      pipeline = std::make_unique<Pipeline>(decoder_, load_program(name), options_(name));
    return *pipeline;
  }

 private:
  Decoder& decoder_;
  const RunSettings& settings_;
  std::function<PipelineOptions(const std::string&)> options_;
  std::map<std::string, std::unique_ptr<Pipeline>> pipelines_;
};

/// Finds what is wrong with any question before a model is loaded.
void check_all(const std::vector<Question>& questions, const RunSettings& settings) {
  std::map<std::string, Program> programs;
  for (const Question& question : questions) {
    const std::string name = program_for(question, settings);
    if (!programs.contains(name)) programs.emplace(name, load_program(name));
    check_fits(programs.at(name), question,
               question.id.empty() ? "question" : "question " + question.id);
  }
}

/// One way to answer: with what the flags and the plan leave out, or with nothing left out.
struct Arm {
  std::string name;  ///< in records; empty when there is only one
  Pipelines pipelines;
  RunSummary summary;
};

/// Answers one question on one arm and shows it.
QuestionRecord answer(Arm& arm, const Question& question, const RunSettings& settings,
                      RunView& view, const std::atomic<bool>& stop) {
  Pipeline& pipeline = arm.pipelines.for_question(question);
  const std::string& program = pipeline.program().name;
  if (!settings.json && !arm.name.empty()) view.show_arm(arm.name);
  QuestionRecord record = pipeline.answer(question, settings.json ? nullptr : &view, &stop);
  arm.summary.add(record, program);
  if (settings.json)
    print_out(to_json_line(record, program, arm.name) + "\n");
  else
    view.show_answer(record);
  return record;
}

}  // namespace

int run_questions(const RunSettings& given) {
  RunSettings settings = given;
  const std::vector<Plan> plans = take_plans(settings);
  const std::vector<Question> questions = read_questions(settings);
  check_all(questions, settings);
  const std::shared_ptr<const Model> model =
      Model::load(find_model(settings.model), settings.model.options);
  if (!plans.empty() && !settings.program.empty() &&
      plan_for(plans, settings.program, settings) == nullptr) {
    say_warnings({fmt::format("none of the plans is for the program {}: nothing is left out",
                              settings.program)});
  }
  for (std::size_t i = 0; i < plans.size(); ++i) {
    // Plans know a program by what it was called, maybe a path.
    const std::string called = settings.program.empty() ? plans[i].program : settings.program;
    if (plan_for(plans, called, settings) != &plans[i]) continue;
    Program program = load_program(called);
    program.name = called;
    warn_about_plan(plans[i], model.get(), program, settings.plans[i], settings.decoder.threads);
  }
  Decoder decoder = make_decoder(model, settings.decoder, settings.model);
  std::vector<Arm> arms;
  if (settings.compare_full) {
    PipelineOptions nothing_left_out;
    nothing_left_out.votes = settings.votes;
    nothing_left_out.seed = settings.seed;
    arms.push_back(
        {"full",
         Pipelines(decoder, settings,
                   [nothing_left_out](const std::string& /*program*/) { return nothing_left_out; }),
         {}});
  }
  arms.push_back({settings.compare_full ? "plan" : "",
                  Pipelines(decoder, settings,
                            [&](const std::string& program) {
                              return pipeline_options(settings, plan_for(plans, program, settings),
                                                      *model);
                            }),
                  {}});

  const std::atomic<bool>& stop = catch_stop_signals();
  RunView view(stdout);
  ArmComparison comparison;
  for (std::size_t i = 0; i < questions.size() && !stop.load(); ++i) {
    for (Arm& arm : arms)
      arm.pipelines.for_question(questions[i]);  // says what is wrong before anything is shown
    if (!settings.json) {
      view.show_question(questions[i], program_for(questions[i], settings), i + 1,
                         questions.size());
    }
    std::vector<QuestionRecord> records;
    for (Arm& arm : arms) {
      if (!stop.load()) records.push_back(answer(arm, questions[i], settings, view, stop));
    }
    if (records.size() > 1) comparison.add(records[0], records[1]);
  }
  std::FILE* stream = settings.json ? stderr : stdout;
  for (const Arm& arm : arms) {
    if (settings.summary) arm.summary.print(stream, arm.name);
  }
  if (settings.compare_full) comparison.print(stream);
  return stop.load() ? EXIT_INTERRUPTED : EXIT_FINE;
}

}  // namespace litestage::app
