#include "app/search_run.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "app/command.h"
#include "app/output_file.h"
#include "app/plan_view.h"
#include "app/profile_run.h"
#include "app/progress.h"
#include "app/search_forecast.h"
#include "app/stop_signal.h"
#include "app/terminal.h"
#include "app/tune_head.h"
#include "base/ranks.h"
#include "base/shuffle.h"
#include "base/text_file.h"
#include "eval/question_sets.h"
#include "litestage/error.h"
#include "offline/decoder_timing.h"
#include "offline/shared_answers.h"
#include "offline/sweep_chart.h"

namespace litestage::app {
namespace {

/// The step at hand as a bar, and a line for every candidate that is done.
class SearchView {
 public:
  void show(const PlanSearchProgress& progress) {
    const std::string label = fmt::format("{}: {}", progress.step, progress.what);
    if (label != label_ && !label_.empty() && last_.total > 0) {
      bar_.wipe();
      fmt::print(stderr, "{} · {} questions{}{}\n", label_, last_.done,
                 last_.note.empty() ? "" : " · ", last_.note);
    }
    const std::string all_left = time_of_step(progress);
    label_ = label;
    last_ = progress;
    bar_.show(label, static_cast<std::uint64_t>(progress.done),
              static_cast<std::uint64_t>(progress.total),
              progress.total > 0 ? "questions" : "measurements",
              {.text = progress.note, .behind = all_left});
  }

 private:
  /// "all masks: at most 2:10:00"; empty where nobody knows.
  std::string time_of_step(const PlanSearchProgress& progress) {
    const auto now = SearchForecast::Clock::now();
    if (progress.step != last_.step) forecast_.begin(before_);
    before_ = now;
    if (!progress.left) return "";
    forecast_.add(now);
    const std::optional<double> seconds = forecast_.seconds_for(*progress.left);
    return seconds ? fmt::format("all {}: at most {}", progress.step, time_text(*seconds)) : "";
  }

  ProgressBar bar_;
  std::string label_;
  PlanSearchProgress last_;
  SearchForecast::Clock::time_point before_ = SearchForecast::Clock::now();  // of the last call
  SearchForecast forecast_{before_};
};

void save(const PlanSearchResult& found, const PlanFiles& files, const std::string& plan) {
  save_search(found.masks, files.masks);
  write_text_file(files.masks_page, search_report_html(found.masks));
  if (found.exits) {
    save_search(*found.exits, files.exits);
    write_text_file(files.exits_page, search_report_html(*found.exits));
  } else {
    // Those of an earlier search beside this plan would be taken for its own.
    std::filesystem::remove(files.exits);
    std::filesystem::remove(files.exits_page);
  }
  save_plan(found.plan, plan);
}

void present(const Plan& plan, const std::string& path, bool json) {
  print_out(json ? to_json(plan) : format_plan(plan, path, Style(may_colour(stdout))));
}

/// What a search runs on: a decoder, for all that is timed, and a pool beside it.
struct Engines {
  Engines(const ModelArguments& arguments, const DecoderOptions& options, int parallel,
          bool with_pool)
      : model(Model::load(find_model(arguments), arguments.options)), decoder(model, options) {
    const std::shared_ptr<const HeadPreview> preview = find_head_preview(*model, arguments);
    decoder.set_head_preview(preview);
    if (with_pool) pool = make_pool(model, decoder.options(), preview, parallel);
  }

  std::shared_ptr<const Model> model;
  Decoder decoder;
  std::unique_ptr<DecoderPool> pool;  ///< null: questions are answered one at a time
};

std::vector<Question> search_questions(const SearchSettings& settings, const Program& program) {
  std::vector<Question> questions = load_question_sets(settings.questions, settings.dataset);
  for (const Question& question : questions)
    check_fits(program, question, "question " + question.id);
  for (const Question& question : questions) {
    if (question.gold.empty()) {
      throw UserError("question " + question.id, "has no right answer to compare with",
                      "a search needs a set with answers");
    }
  }
  shuffle(questions, settings.seed);
  return questions;
}

/// One of the two.
struct SearchedFrom {
  explicit SearchedFrom(const SearchSettings& settings) {
    if (!settings.start.empty()) {
      plan = load_plan(settings.start);
    } else {
      const std::string beside = PlanFiles::beside(settings.output).importance;
      importance_path = settings.importance.empty() ? beside : settings.importance;
      importance = load_importance(importance_path);
    }
  }

  std::optional<Plan> plan;
  std::optional<Importance> importance;
  std::string importance_path;
};

/// Predictions go by the importance's milliseconds, candidates are timed with the head in use.
void note_other_head(const SearchedFrom& from, const Decoder& decoder) {
  const std::string head = head_in_use(decoder);
  if (!from.importance || from.importance->head.empty() || from.importance->head == head) return;
  fmt::print(
      stderr,
      "importance: {} was measured with the head: {}; remove it, and 'litestage tune' has it "
      "measured with the one in use: {}\n",
      from.importance_path, from.importance->head, head);
}

PlanSearchResult search(const SearchSettings& settings, const SearchedFrom& from,
                        const std::string& memo, Engines& engines, Ranks* ranks) {
  const Program program = load_program(settings.program);
  const std::vector<Question> questions = search_questions(settings, program);
  const std::atomic<bool>& stop = catch_stop_signals();
  SearchView view;
  return search_plan(
      {engines.decoder, program, questions, from.importance ? &*from.importance : nullptr, memo,
       settings.model.model, settings.program, question_set_names(settings.questions),
       settings.seed, engines.pool.get(), ranks, from.plan ? &*from.plan : nullptr,
       engine_text(settings.model.options, engines.decoder.options())},
      settings.search, [&view](const PlanSearchProgress& progress) { view.show(progress); }, &stop);
}

/// What ranks beside the first one do.
int help(const SearchSettings& settings, Ranks& ranks) {
  const Program program = load_program(settings.program);
  const std::vector<Question> questions = search_questions(settings, program);
  const Engines engines(settings.model, settings.decoder, settings.search.parallel, true);
  const SharedSearch shared{program, questions, model_hash(*engines.model),
                            engines.model->layer_count(),
                            engine_text(settings.model.options, engines.decoder.options())};
  const std::atomic<bool>& stop = catch_stop_signals();
  help_search(*engines.pool, settings.search.parallel, ranks, shared, &stop);
  return stop.load() ? EXIT_INTERRUPTED : EXIT_FINE;
}

int search_interrupted(const std::string& memo) {
  fmt::print(stderr,
             "litestage: stopped; what is done so far is in {}, and the same command goes on from "
             "there\n",
             memo);
  return EXIT_INTERRUPTED;
}

/// Before a search that others wait for has begun.
/// @return the exit code, as it was given
int give_up_early(Ranks* ranks, int code) {
  if (ranks != nullptr) let_go(*ranks);
  return code;
}

int retime_interrupted() {
  fmt::print(stderr,
             "litestage: stopped; the plan is as it was, and the same command measures all times "
             "anew\n");
  return EXIT_INTERRUPTED;
}

}  // namespace

PlanFiles PlanFiles::beside(const std::string& plan) {
  const std::string stem =
      plan.ends_with(".json") ? plan.substr(0, plan.size() - std::string(".json").size()) : plan;
  return {stem + ".importance.json", stem + ".search.json", stem + ".search.html",
          stem + ".exit.json",       stem + ".exit.html",   stem + ".memo"};
}

int run_search(const SearchSettings& settings, Ranks* ranks) {
  if (!is_first(ranks)) return help(settings, *ranks);
  const PlanFiles files = PlanFiles::beside(settings.output);
  check_output(settings.output);
  const std::string memo = settings.memo.empty() ? files.memo : settings.memo;
  const SearchedFrom from(settings);
  const int parallel = settings.search.parallel;
  Engines engines(settings.model, settings.decoder, parallel, parallel > 1 || ranks != nullptr);
  note_other_head(from, engines.decoder);
  const PlanSearchResult found = search(settings, from, memo, engines, ranks);
  if (found.interrupted) return search_interrupted(memo);
  save(found, files, settings.output);
  present(found.plan, settings.output, settings.json);
  return EXIT_FINE;
}

int run_tune(const SearchSettings& settings, Ranks* ranks) {
  if (!is_first(ranks)) return help(settings, *ranks);
  SearchSettings search = settings;
  const PlanFiles files = PlanFiles::beside(settings.output);
  if (search.importance.empty()) search.importance = files.importance;
  if (search.memo.empty()) search.memo = files.memo;
  check_output(settings.output);
  // The search will go by the plan's own: texts under another would not be met.
  if (!search.start.empty()) search.search.kv_reuse = load_plan(search.start).kv_reuse;
  // Before anything is timed: times are those of the head that will be used.
  if (const int code = learn_head_to_tune(search); code != EXIT_FINE)
    return give_up_early(ranks, search_interrupted(search.memo));
  if (settings.start.empty() && !std::filesystem::exists(search.importance)) {
    ProfileSettings profile;
    profile.model = settings.model;
    profile.decoder = settings.decoder;
    profile.program = settings.program;
    profile.questions = settings.questions;
    profile.dataset = settings.dataset;
    profile.dataset.limit = std::min<std::size_t>(
        settings.dataset.limit, static_cast<std::size_t>(settings.search.calibration));
    profile.profile.damage_tokens = settings.search.damage_tokens;
    profile.profile.memo = search.memo;
    profile.profile.kv_reuse = settings.search.kv_reuse;
    profile.output = search.importance;
    profile.quiet = true;
    if (const int code = run_profile(profile); code != EXIT_FINE) return give_up_early(ranks, code);
  }
  return run_search(search, ranks);
}

int run_retime(const RetimeSettings& given) {
  RetimeSettings settings = given;
  const std::string output = settings.output.empty() ? settings.plan : settings.output;
  check_output(output);
  const Plan plan = load_plan(settings.plan);
  if (!settings.model_named) settings.model.model = plan.model_name;
  const PlanFiles files = PlanFiles::beside(settings.plan);
  const std::string memo = settings.memo.empty() ? files.memo : settings.memo;
  const Program program = load_program(plan.program);
  const SearchFile masks = load_search(files.masks);
  std::vector<Question> questions =
      questions_of_plan(plan, load_question_sets(settings.questions, settings.dataset),
                        question_set_names(settings.questions));
  // Those behind the search's own were kept from it, to confirm the plan.
  questions.resize(
      std::min(questions.size(), static_cast<std::size_t>(masks.result.accuracy.questions)));
  std::optional<SearchFile> exits;
  if (std::filesystem::exists(files.exits)) exits = load_search(files.exits);
  Engines engines(settings.model, settings.decoder, settings.parallel, settings.parallel > 1);
  if (!std::filesystem::exists(memo)) {
    fmt::print(
        stderr,
        "litestage: {} is not there: what the candidates wrote is written again, which takes "
        "longer; accuracies stay those of the search\n",
        memo);
  }
  PlanSearchOptions options;
  options.parallel = settings.parallel;
  const std::atomic<bool>& stop = catch_stop_signals();
  SearchView view;
  const PlanSearchResult found = retime_plan(
      {engines.decoder, program, questions, memo, masks, exits,
       engine_text(settings.model.options, engines.decoder.options()), engines.pool.get()},
      options, [&view](const PlanSearchProgress& progress) { view.show(progress); }, &stop);
  if (found.interrupted) return retime_interrupted();
  save(found, PlanFiles::beside(output), output);
  if (exits && !found.exits) {
    fmt::print(stderr,
               "litestage: other masks are faster here, and the exit rules were found for the old "
               "ones: they are left out until 'litestage tune' is run\n");
  }
  present(found.plan, output, false);
  return EXIT_FINE;
}

}  // namespace litestage::app
