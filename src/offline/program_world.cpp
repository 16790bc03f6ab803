#include "offline/program_world.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "offline/decoder_timing.h"
#include "stage/conversation.h"
#include "stage/stage_runner.h"

namespace litestage {
namespace {

/// Context lengths and fresh tokens are rounded to this, so that measurements serve many choices.
constexpr int SHAPE_STEP = 8;

int rounded(double tokens) {
  return std::max(SHAPE_STEP, static_cast<int>(std::lround(tokens / SHAPE_STEP)) * SHAPE_STEP);
}

/// The work of a stage for a typical one of these questions: a real context of median length.
StageShape typical_shape(const std::vector<TrialDetail>& all, std::size_t stage, bool writes) {
  std::vector<const StageLog*> logs;
  double fresh = 0;
  double branches = 0;
  for (const TrialDetail& detail : all) {
    logs.push_back(&detail.stages[stage]);
    fresh += detail.trial.read[stage];
    branches += static_cast<double>(detail.stages[stage].contexts.size());
  }
  const auto count = static_cast<double>(all.size());
  const auto length = [](const StageLog* log) { return log->contexts[0].tokens.size(); };
  const auto middle = logs.begin() + static_cast<std::ptrdiff_t>(logs.size() / 2);
  std::nth_element(logs.begin(), middle, logs.end(),
                   [&](const StageLog* a, const StageLog* b) { return length(a) < length(b); });
  StageShape shape;
  shape.context = (*middle)->contexts[0].tokens;
  const std::vector<Token>& text = (*middle)->texts[0];
  shape.text = text.empty() ? shape.context : text;
  shape.branches = static_cast<int>(std::lround(branches / count));
  // Branches read their own parts in one batch: the timer reads as many tokens on one sequence.
  shape.fresh = std::min(rounded(fresh / count), static_cast<int>(shape.context.size()));
  shape.writes = writes;
  return shape;
}

/// Milliseconds that one question's stage writes at these rates.
double writing_ms(const TrialDetail& detail, std::size_t stage, const StageRates& rates) {
  const StageLog& log = detail.stages[stage];
  std::size_t longest = 0;
  for (const std::vector<Token>& text : log.texts)
    longest = std::max(longest, text.size());
  double ms = 0;
  for (std::size_t step = 0; step < longest; ++step) {
    const auto left = std::count_if(log.texts.begin(), log.texts.end(),
                                    [&](const auto& text) { return text.size() > step; });
    ms += rates.step_with(static_cast<int>(left), static_cast<int>(log.texts.size()));
  }
  return ms;
}

}  // namespace

std::string times_on(const std::string& machine, int threads) {
  return fmt::format("time on {}, {} threads: ", machine, threads);
}

struct ProgramWorld::ChosenPipeline {
  ChosenPipeline(Choice wanted, Decoder& decoder, const Program& program, PipelineOptions options)
      : choice(std::move(wanted)), pipeline(decoder, program, std::move(options)) {}

  Choice choice;
  Pipeline pipeline;
};

ProgramWorld::ProgramWorld(Decoder& decoder, Program program, std::vector<Question> questions,
                           std::vector<StageCandidates> candidates, StageStore& store,
                           Options options, const std::atomic<bool>* stop)
    : decoder_(decoder),
      program_(std::move(program)),
      questions_(std::move(questions)),
      candidates_(std::move(candidates)),
      store_(store),
      options_(std::move(options)),
      stop_(stop),
      preamble_(Conversation(program_, decoder.model().tokenizer()).preamble()),
      recorder_(&store) {}

ProgramWorld::~ProgramWorld() = default;

int ProgramWorld::question_count() const {
  return static_cast<int>(questions_.size());
}

std::vector<std::pair<std::string, StageSettings>> ProgramWorld::settings_of(
    const Choice& choice) const {
  std::vector<std::pair<std::string, StageSettings>> settings;
  for (std::size_t stage = 0; stage < candidates_.size(); ++stage) {
    const auto& candidate = candidates_[stage].candidates[static_cast<std::size_t>(choice[stage])];
    settings.emplace_back(candidates_[stage].stage, candidate.settings);
  }
  return settings;
}

Plan ProgramWorld::plan_of(const Choice& choice) const {
  Plan plan;
  plan.stages = settings_of(choice);
  plan.kv_reuse = options_.kv_reuse;
  return plan;
}

/// Sees to it that a question's stages are in the store, and those of the next ones too.
void ProgramWorld::look_ahead(const Choice& choice, int question) {
  int& ahead = ahead_[choice];
  if (options_.ahead == nullptr || question < ahead) return;
  const int end = std::min(question_count(), question + options_.ahead->portion(ahead));
  const std::span<const Question> all = questions_;
  options_.ahead->answer(
      plan_of(choice),
      all.subspan(static_cast<std::size_t>(question), static_cast<std::size_t>(end - question)),
      stop_);
  ahead = end;
}

Pipeline& ProgramWorld::pipeline_for(const Choice& choice) {
  if (chosen_ && chosen_->choice == choice) return chosen_->pipeline;
  chosen_.reset();  // its preambles leave the cache before the next one's come
  chosen_ = std::make_unique<ChosenPipeline>(choice, decoder_, program_,
                                             remembered_options(plan_of(choice), recorder_));
  return chosen_->pipeline;
}

std::optional<TrialDetail> ProgramWorld::run_in_detail(const Choice& choice, int question) {
  look_ahead(choice, question);
  const Question& asked = questions_[static_cast<std::size_t>(question)];
  const QuestionRecord record = pipeline_for(choice).answer(asked, nullptr, stop_);
  TrialDetail detail;
  detail.stages = recorder_.take();
  if (record.interrupted) return std::nullopt;
  detail.trial.correct = is_correct(asked, record.answer);
  detail.trial.read = fresh_tokens(detail.stages, preamble_, options_.kv_reuse);
  for (const StageLog& log : detail.stages) {
    std::size_t written = 0;
    for (const std::vector<Token>& text : log.texts)
      written += text.size();
    detail.trial.written.push_back(static_cast<int>(written));
  }
  return detail;
}

std::optional<Trial> ProgramWorld::run(const Choice& choice, int question) {
  const std::optional<TrialDetail> detail = run_in_detail(choice, question);
  if (!detail) return std::nullopt;
  return detail->trial;
}

std::optional<std::vector<TrialDetail>> ProgramWorld::details_of(const Choice& choice) {
  std::vector<TrialDetail> details;
  for (int question = 0; question < question_count(); ++question) {
    std::optional<TrialDetail> detail = run_in_detail(choice, question);
    if (!detail) return std::nullopt;
    details.push_back(std::move(*detail));
  }
  return details;
}

std::optional<StageRates> ProgramWorld::stored_or_timed(std::size_t stage, int candidate,
                                                        const StageShape& shape,
                                                        const std::optional<StageRates>& base) {
  const auto& of_stage = candidates_[stage];
  const StageSettings& settings = of_stage.candidates[static_cast<std::size_t>(candidate)].settings;
  const bool previews = shape.head == HeadUse::preview && decoder_.head_preview() != nullptr;
  std::string head;
  if (!shape.writes) {
    head = ", rows of the head";
  } else if (previews) {
    head = ", " + head_identity(decoder_);
  }
  const std::string name =
      fmt::format("{}{} {}/{}, context {}, fresh {}, branches {}{}",
                  times_on(options_.machine, decoder_.options().threads), of_stage.stage,
                  settings.prefill.to_string(), settings.decode.to_string(), shape.context.size(),
                  shape.fresh, shape.branches, head);
  constexpr std::size_t FIGURES = 6;
  if (const auto known = store_.find_measurement(name); known && known->size() == FIGURES) {
    const std::vector<double>& v = *known;
    return StageRates{v[0], v[1], v[2], v[3], v[4], v[5]};
  }
  chosen_.reset();  // the timer needs the cache
  const auto timed = time_stage(decoder_, shape, settings, base, options_.timer, stop_);
  if (timed) {
    store_.store_measurement(
        name, {timed->prefill_ms, timed->step_ms, timed->full_step_ms, timed->prefill_error,
               timed->step_error, timed->full_step_error});
  }
  return timed;
}

std::optional<StageRates> ProgramWorld::rates(std::size_t stage, int candidate,
                                              const StageShape& shape) {
  const std::optional<StageRates> full = stored_or_timed(stage, 0, shape, std::nullopt);
  const auto& of_stage = candidates_[stage].candidates;
  const StageSettings& settings = of_stage[static_cast<std::size_t>(candidate)].settings;
  const bool nothing_left_out = settings.prefill.empty() && settings.decode.empty();
  if (!full || nothing_left_out) return full;
  return stored_or_timed(stage, candidate, shape, full);
}

/// The full model's details. Kept, since going to it and back reads both preambles again.
bool ProgramWorld::read_full() {
  if (!full_) full_ = details_of(Choice(candidates_.size(), 0));
  return full_.has_value();
}

HeadUse ProgramWorld::head_of(std::size_t stage, const Choice& choice) const {
  const auto index = static_cast<std::size_t>(choice[stage]);
  const StageSettings& settings = candidates_[stage].candidates[index].settings;
  return needs_all_logits(program_.stages[stage], settings.exit) ? HeadUse::full : HeadUse::preview;
}

/// @param details of all questions under the choice; the full model's are read
std::optional<StageRates> ProgramWorld::rates_of(std::size_t stage, const Choice& choice,
                                                 const std::vector<TrialDetail>& details,
                                                 HeadUse head) {
  // Where contexts are as long as the full model's, so is the shape: measurements are shared.
  StageShape shape = typical_shape(*full_, stage, writes_text(program_.stages[stage]));
  shape.fresh = std::min(typical_shape(details, stage, shape.writes).fresh,
                         static_cast<int>(shape.context.size()));
  shape.head = head;
  return rates(stage, choice[stage], shape);
}

std::optional<std::vector<double>> ProgramWorld::whole_head_costs(
    const Choice& choice, const std::vector<TrialDetail>& details) {
  std::vector<double> costs(candidates_.size(), 1);
  if (decoder_.head_preview() == nullptr) return costs;
  if (!read_full()) return std::nullopt;
  for (std::size_t stage = 0; stage < costs.size(); ++stage) {
    if (head_of(stage, choice) == HeadUse::full) continue;
    const auto previewed = rates_of(stage, choice, details, HeadUse::preview);
    const auto whole = rates_of(stage, choice, details, HeadUse::full);
    if (!previewed || !whole) return std::nullopt;
    double previewed_ms = 0;
    double whole_ms = 0;
    for (const TrialDetail& detail : details) {
      previewed_ms += writing_ms(detail, stage, *previewed);
      whole_ms += writing_ms(detail, stage, *whole);
    }
    if (previewed_ms > 0) costs[stage] = std::max(1.0, whole_ms / previewed_ms);
  }
  return costs;
}

std::optional<TimedChoice> ProgramWorld::time(const Choice& choice,
                                              const std::vector<Trial>& /*trials*/) {
  // The trials' lengths, branch by branch: they are all in the store.
  if (!read_full()) return std::nullopt;
  const auto details = details_of(choice);
  if (!details) return std::nullopt;
  TimedChoice timed;
  double variance = 0;
  for (std::size_t stage = 0; stage < candidates_.size(); ++stage) {
    const auto rate = rates_of(stage, choice, *details, head_of(stage, choice));
    if (!rate) return std::nullopt;
    double read_ms = 0;
    double written_ms = 0;
    for (const TrialDetail& detail : *details) {
      read_ms += detail.trial.read[stage] * rate->prefill_ms;
      written_ms += writing_ms(detail, stage, *rate);
    }
    const auto count = static_cast<double>(details->size());
    timed.stage_ms.push_back((read_ms + written_ms) / count);
    timed.ms += timed.stage_ms.back();
    variance += std::pow(read_ms / count * rate->prefill_error, 2) +
                std::pow(written_ms / count * std::max(rate->step_error, rate->full_step_error), 2);
  }
  timed.ms_error = std::sqrt(variance);
  return timed;
}

}  // namespace litestage
