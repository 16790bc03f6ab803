#include "app/profile_run.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "app/command.h"
#include "app/heat_map_terminal.h"
#include "app/output_file.h"
#include "app/progress.h"
#include "app/stop_signal.h"
#include "app/terminal.h"
#include "base/text_file.h"
#include "eval/question_sets.h"
#include "litestage/error.h"
#include "offline/heat_map_html.h"

namespace litestage::app {
namespace {

/// Shows the step at hand as a bar and leaves a line behind for each one that is done.
class StepView {
 public:
  void show(const ProfileProgress& progress) {
    if (progress.step != step_.step || step_.what.empty()) {
      begun_ = Clock::now();
      ended_ = false;
    }
    step_ = progress;
    bar_.show(label(progress), static_cast<std::uint64_t>(progress.done),
              static_cast<std::uint64_t>(progress.total), progress.unit);
    if (progress.total > 0 && progress.done == progress.total) end();
  }

 private:
  using Clock = std::chrono::steady_clock;

  static std::string label(const ProfileProgress& progress) {
    return fmt::format("{}/{} {}", progress.step, progress.steps, progress.what);
  }

  void end() {
    if (ended_) return;
    ended_ = true;
    bar_.wipe();
    const std::chrono::duration<double> took = Clock::now() - begun_;
    fmt::print(stderr, "{}: {} {} in {}\n", label(step_), step_.total, step_.unit,
               time_text(took.count()));
  }

  ProgressBar bar_;
  ProfileProgress step_;
  Clock::time_point begun_;
  bool ended_ = false;
};

void present(const Importance& importance, const ProfileSettings& settings) {
  if (!settings.html.empty()) write_text_file(settings.html, heat_map_html(importance));
  print_out(settings.json
                ? to_json(importance)
                : format_importance(importance, may_colour(stdout), terminal_width(stdout)));
}

std::optional<Importance> measure(const ProfileSettings& settings, const std::string& partial) {
  const Program program = load_program(settings.program);
  const std::vector<Question> questions = load_question_sets(settings.questions, settings.dataset);
  for (const Question& question : questions)
    check_fits(program, question, "question " + question.id);
  Decoder decoder = make_decoder(Model::load(find_model(settings.model), settings.model.options),
                                 settings.decoder, settings.model);
  ProfileOptions options = settings.profile;
  options.cost.max_ms = 1000.0 * settings.timing_seconds / 2;  // half for reading, half for writing
  options.question_set = question_set_names(settings.questions);
  options.engine = engine_text(settings.model.options, decoder.options());
  const std::atomic<bool>& stop = catch_stop_signals();
  StepView view;
  return profile(
      decoder, program, questions, options, partial,
      [&view](const ProfileProgress& progress) { view.show(progress); }, &stop);
}

}  // namespace

int run_profile(const ProfileSettings& settings) {
  if (!settings.html.empty()) check_output(settings.html);
  if (!settings.show.empty()) {
    present(load_importance(settings.show), settings);
    return EXIT_FINE;
  }
  check_output(settings.output);
  const std::string partial = settings.output + ".partial";
  const std::optional<Importance> importance = measure(settings, partial);
  if (!importance) {
    fmt::print(stderr,
               "litestage: stopped; what is measured so far is in {}, and the same command goes on "
               "from there\n",
               partial);
    return EXIT_INTERRUPTED;
  }
  write_text_file(settings.output, to_json(*importance));
  std::error_code ignored;
  std::filesystem::remove(partial, ignored);
  if (!settings.quiet) present(*importance, settings);
  fmt::print(stderr, "{}\n", settings.output);
  return EXIT_FINE;
}

}  // namespace litestage::app
