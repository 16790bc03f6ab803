#include "race.h"

#include <cstddef>
#include <map>
#include <utility>

#include "app/bench_libllama.h"
#include "app/libllama_decoder.h"
#include "app/run_plan.h"
#include "app/stop_signal.h"
#include "eval/question_sets.h"
#include "litestage/error.h"
#include "litestage/pipeline.h"
#include "stage/plan_options.h"

namespace litestage::bench {
namespace {

/// Our weights of this racer are never read: they stay on the disk.
ModelOptions vocabulary_alone(ModelOptions options) {
  options.repack = false;
  return options;
}

std::vector<Question> load_questions(const RaceSettings& settings) {
  std::vector<Question> questions = load_question_sets(settings.questions, settings.dataset);
  if (questions.empty()) throw UserError("--questions", "there is no question");
  return questions;
}

/// Adds one of the repeats to their means.
void add(const QuestionRecord& record, double repeats, RacedQuestion& raced) {
  raced.ms += record.total_ms / repeats;
  for (const StageRecord& stage : record.stages) {
    raced.read_tokens += (stage.prompt_tokens - stage.reused_tokens) / repeats;
    raced.written_tokens += stage.tokens / repeats;
    raced.read_ms += stage.prefill_ms / repeats;
    raced.write_ms += stage.decode_ms / repeats;
  }
}

bool answers_early(Racer racer) {
  return racer == Racer::early || racer == Racer::all;
}

bool merges(Racer racer) {
  return racer == Racer::merged || racer == Racer::all;
}

}  // namespace

const std::string& to_string(Racer racer) {
  static const std::map<Racer, std::string> NAMES = {
      {Racer::libllama, "libllama"},         {Racer::litestage, "litestage"},
      {Racer::head, "litestage+head"},       {Racer::plan, "litestage+plan"},
      {Racer::merged, "litestage+merged"},   {Racer::early, "litestage+early"},
      {Racer::all, "litestage+early+merged"}};
  return NAMES.at(racer);
}

/// A racer with its decoder, and its pipeline on it.
struct Entrant {
  Entrant(Decoder used, const Program& program, PipelineOptions options)
      : decoder(std::make_unique<Decoder>(std::move(used))),
        pipeline(std::make_unique<Pipeline>(*decoder, program, std::move(options))) {}

  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<Pipeline> pipeline;
};

struct Race::Impl {
  explicit Impl(const RaceSettings& given)
      : settings(given),
        path(app::find_model(given.model)),
        program(load_program(given.program)),
        questions(load_questions(given)) {
    const bool libllama_alone = given.only == Racer::libllama;
    model = Model::load(
        path, libllama_alone ? vocabulary_alone(given.model.options) : given.model.options);
    if (!given.plan.empty()) {
      plan = load_plan(given.plan);
      const PlanWarnings warnings =
          app::plan_warnings(*plan, model.get(), program, given.plan, given.decoder.threads);
      if (!given.only) app::say_warnings(warnings);  // a racer alone is run by a race that has
    }
    preview = app::find_head_preview(*model, given.model);
    for (const Racer racer : RACERS) {
      const bool possible = (racer != Racer::plan || plan) && (racer != Racer::head || preview) &&
                            (!answers_early(racer) || given.early.any()) &&
                            (!merges(racer) || given.merge);
      if (possible && given.only.value_or(racer) == racer) enter(racer);
    }
  }

  void enter(Racer racer) {
    PipelineOptions options;
    if (racer == Racer::libllama) {
      libllama.emplace(path, settings.model.options);
      options.kv_reuse = KvReuse::whole;
      entrants.emplace(racer, faster_libllama(options));
      return;
    }
    Decoder decoder(model, settings.decoder);
    if (racer != Racer::litestage) decoder.set_head_preview(preview);
    if (plan && (racer == Racer::plan || answers_early(racer))) apply_plan(*plan, options);
    if (answers_early(racer)) options.early = settings.early;
    options.merge_branches = merges(racer);
    entrants.emplace(racer, Entrant(std::move(decoder), program, std::move(options)));
  }

  /// libllama with or without flash attention, whichever answers the first question faster.
  Entrant faster_libllama(const PipelineOptions& pipeline) {
    std::map<double, FlashAttention> by_time;
    for (const FlashAttention flash : {FlashAttention::on, FlashAttention::off}) {
      Entrant entrant = libllama_entrant(flash, pipeline);
      entrant.pipeline->answer(questions[0], nullptr, &stop);  // warms up
      by_time[entrant.pipeline->answer(questions[0], nullptr, &stop).total_ms] = flash;
    }
    flash = by_time.begin()->second == FlashAttention::on;
    return libllama_entrant(by_time.begin()->second, pipeline);
  }

  Entrant libllama_entrant(FlashAttention attention, const PipelineOptions& pipeline) const {
    DecoderOptions options = settings.decoder;
    options.flash_attention = attention;
    return {app::make_libllama_decoder(*libllama, model, options), program, pipeline};
  }

  RaceSettings settings;
  std::filesystem::path path;
  Program program;
  std::vector<Question> questions;
  std::shared_ptr<const Model> model;
  std::optional<Plan> plan;
  std::shared_ptr<const HeadPreview> preview;
  std::optional<app::LibllamaModel> libllama;
  bool flash = false;
  std::map<Racer, Entrant> entrants;
  const std::atomic<bool>& stop = app::catch_stop_signals();
};

Race::Race(const RaceSettings& settings) : impl_(std::make_unique<Impl>(settings)) {}
Race::~Race() = default;

std::vector<Racer> Race::racers() const {
  std::vector<Racer> racers;
  for (const auto& [racer, entrant] : impl_->entrants)
    racers.push_back(racer);
  return racers;
}

const std::vector<Question>& Race::questions() const {
  return impl_->questions;
}

const Model& Race::model() const {
  return *impl_->model;
}

bool Race::libllama_flash() const {
  return impl_->flash;
}

std::optional<std::vector<RacerResult>> Race::run(const std::function<void(int, int)>& progress) {
  std::vector<RacerResult> results;
  for (const Racer racer : racers())
    results.push_back({racer, std::vector<RacedQuestion>(impl_->questions.size())});
  for (const auto& [racer, entrant] : impl_->entrants)  // preambles, graphs
    entrant.pipeline->answer(impl_->questions[0], nullptr, &impl_->stop);
  const int repeats = impl_->settings.repeats;
  const int turns = static_cast<int>(impl_->questions.size()) * repeats;
  int done = 0;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (std::size_t i = 0; i < impl_->questions.size(); ++i) {
      for (std::size_t turn = 0; turn < results.size(); ++turn) {
        RacerResult& result =
            results[(turn + i + static_cast<std::size_t>(repeat)) % results.size()];
        const QuestionRecord record =
            impl_->entrants.at(result.racer)
                .pipeline->answer(impl_->questions[i], nullptr, &impl_->stop);
        if (record.interrupted) return std::nullopt;
        RacedQuestion& raced = result.questions[i];
        if (repeat == 0) {
          raced.answer = record.answer;
          raced.correct = is_correct(impl_->questions[i], record.answer);
        }
        add(record, repeats, raced);
      }
      progress(++done, turns);
    }
  }
  return results;
}

bool Race::run_first(Racer racer) {
  const auto entrant = impl_->entrants.find(racer);
  if (entrant == impl_->entrants.end()) return false;
  entrant->second.pipeline->answer(impl_->questions[0], nullptr, &impl_->stop);
  return true;
}

}  // namespace litestage::bench
