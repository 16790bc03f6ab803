#include "app/run.h"

#include <algorithm>
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
#include "app/compare_view.h"
#include "app/output_file.h"
#include "app/run_plan.h"
#include "app/run_view.h"
#include "app/stop_signal.h"
#include "app/terminal.h"
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

/// Shows answers to people: each as it is written or, where there are two and the terminal has room
/// for both, beside each other once they are done.
class AnswerScreen {
 public:
  explicit AnswerScreen(bool two_arms) : two_arms_(two_arms), view_(stdout), columns_(stdout) {}

  void begin_question(const Question& question, const std::string& program, std::size_t index,
                      std::size_t count) {
    beside_ = two_arms_ && fits_two_columns(stdout);
    view_.show_question(question, program, index, count);
  }

  /// @return who is to be told of the text while it is written
  PipelineListener& begin_arm(const std::string& name) {
    if (beside_) {
      columns_.begin_arm(name);
      return columns_;
    }
    if (!name.empty()) view_.show_arm(name);
    return view_;
  }

  void end_arm(const QuestionRecord& record) {
    if (!beside_) view_.show_answer(record);
  }

  /// @param records of the arms that were asked
  void end_question(const std::vector<QuestionRecord>& records) {
    if (beside_ && !records.empty()) {
      QuestionRecord not_asked;
      not_asked.interrupted = true;
      columns_.show(records.front(), records.size() > 1 ? records.back() : not_asked);
    }
    const auto interrupted = [](const QuestionRecord& record) { return record.interrupted; };
    if (records.size() > 1 && std::ranges::none_of(records, interrupted))
      print_out(compared_table(records.front(), records.back(), Style(may_colour(stdout))) + "\n");
  }

 private:
  bool two_arms_;
  bool beside_ = false;
  RunView view_;
  CompareView columns_;
};

/// Answers one question on each arm, and shows the answers.
/// @param screen null: records go to stdout as JSON
/// @return the records of those that were asked before the user asked to stop
std::vector<QuestionRecord> answer(std::vector<Arm>& arms, const Question& question,
                                   AnswerScreen* screen, const std::atomic<bool>& stop) {
  std::vector<QuestionRecord> records;
  for (Arm& arm : arms) {
    if (stop.load()) break;
    Pipeline& pipeline = arm.pipelines.for_question(question);
    const std::string& program = pipeline.program().name;
    PipelineListener* listener = screen != nullptr ? &screen->begin_arm(arm.name) : nullptr;
    const QuestionRecord& record = records.emplace_back(pipeline.answer(question, listener, &stop));
    arm.summary.add(record, program);
    if (screen != nullptr) {
      screen->end_arm(record);
    } else {
      print_out(to_json_line(record, program, arm.name) + "\n");
    }
  }
  if (screen != nullptr) screen->end_question(records);
  return records;
}

/// @param decoder, settings, plans must outlive the arms
std::vector<Arm> make_arms(Decoder& decoder, const RunSettings& settings,
                           const std::vector<Plan>& plans) {
  std::vector<Arm> arms;
  if (settings.compare_full) {
    PipelineOptions nothing_left_out;
    nothing_left_out.votes = settings.votes;
    nothing_left_out.seed = settings.seed;
    nothing_left_out.keep_kv = settings.kv != StageKv::none;
    nothing_left_out.branches_in_turn = settings.branches_in_turn;
    const auto full = [nothing_left_out](const std::string& /*program*/) {
      return nothing_left_out;
    };
    arms.push_back({"full", Pipelines(decoder, settings, full), {}});
  }
  const auto planned = [&](const std::string& program) {
    return pipeline_options(settings, plan_for(plans, program, settings), decoder.model());
  };
  arms.push_back({settings.compare_full ? "plan" : "", Pipelines(decoder, settings, planned), {}});
  return arms;
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
  std::vector<Arm> arms = make_arms(decoder, settings, plans);
  const std::atomic<bool>& stop = catch_stop_signals();
  std::optional<AnswerScreen> screen;
  if (!settings.json) screen.emplace(settings.compare_full);
  ArmComparison comparison;
  for (std::size_t i = 0; i < questions.size() && !stop.load(); ++i) {
    for (Arm& arm : arms)
      arm.pipelines.for_question(questions[i]);  // says what is wrong before anything is shown
    if (screen) {
      screen->begin_question(questions[i], program_for(questions[i], settings), i + 1,
                             questions.size());
    }
    const std::vector<QuestionRecord> records =
        answer(arms, questions[i], screen ? &*screen : nullptr, stop);
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
