#include "offline/profile.h"

#include <fmt/format.h>
#include <ggml.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <utility>

#include "base/sha256.h"
#include "base/utf8.h"
#include "litestage/error.h"
#include "litestage/plan.h"
#include "litestage/version.h"
#include "model/interrupt_scope.h"
#include "offline/calibration_part.h"
#include "offline/damage_meter.h"
#include "offline/decoder_timing.h"
#include "offline/partial_results.h"
#include "offline/profile_pieces.h"
#include "offline/stage_store.h"
#include "stage/stage_runner.h"

namespace litestage {
namespace {

constexpr std::array BOTH = {Sublayer::attention, Sublayer::ffn};
constexpr std::array PHASES = {CostPhase::prefill, CostPhase::decode};

/// What the record says of model, program, questions and machine.
Importance origin(const Decoder& decoder, const Program& program,
                  const std::vector<Question>& questions, const ProfileOptions& options) {
  Importance importance;
  // Texts that come from files may hold anything, but not in what is read back and shown.
  importance.model_name = displayable(decoder.model().name());
  importance.model_hash = model_hash(decoder.model());
  importance.program = displayable(program.name);
  importance.program_hash = program.hash;
  importance.question_set = displayable(options.question_set);
  for (const Question& question : questions)
    importance.questions.push_back(question_hash(question));
  importance.machine = machine_name();
  importance.threads = decoder.options().threads;
  importance.head = head_in_use(decoder);
  importance.litestage_version = litestage_version();
  importance.ggml_version = ggml_version();
  return importance;
}

/// Identifies a profile by all that shapes its figures but the head, which has a say in the
/// milliseconds alone: their pieces are named by it. So a profile goes on when a preview has come.
std::string key_of(const Importance& origin, const Decoder& used, const ProfileOptions& options) {
  const DecoderOptions& decoder = used.options();
  nlohmann::json key = {origin.model_hash,       origin.program_hash,     origin.questions,
                        origin.machine,          origin.threads,          origin.litestage_version,
                        origin.ggml_version,     decoder.context,         decoder.ubatch,
                        decoder.kv_type,         decoder.flash_attention, options.damage_tokens,
                        options.cost.min_rounds, options.cost.max_rounds, options.cost.max_ms,
                        options.kv_reuse,        options.engine};
  return sha256_hex(key.dump());
}

/// The settings that leave out one sublayer in one phase.
StageSettings without(Sublayer sublayer, int layer, CostPhase phase) {
  StageSettings settings;
  if (phase == CostPhase::prefill) settings.prefill.skip(sublayer, layer);
  // What is written attends to the context's KV, so attention left out before stays left out.
  if (phase == CostPhase::decode || sublayer == Sublayer::attention)
    settings.decode.skip(sublayer, layer);
  return settings;
}

std::string_view name_of(CostPhase phase) {
  return phase == CostPhase::prefill ? "prefill" : "decode";
}

class Profiler {
 public:
  Profiler(Decoder& decoder, const Program& program, const std::vector<Question>& questions,
           const ProfileOptions& options, const std::string& partial,
           const ProfileListener& listener, const std::atomic<bool>* stop)
      : decoder_(decoder),
        program_(program),
        questions_(questions),
        options_(options),
        listener_(listener),
        stop_(stop),
        result_(origin(decoder, program, questions, options)),
        pieces_(partial, key_of(result_, decoder, options)) {
    decoder_.clear();
  }

  std::optional<Importance> run() {
    const bool with_damage = options_.damage_tokens > 0;
    progress_.steps = with_damage ? 4 : 3;
    if (!record_texts()) return std::nullopt;
    prepare_stages();
    if (!measure_changes() || !measure_costs()) return std::nullopt;
    if (with_damage && !measure_damages()) return std::nullopt;
    decoder_.clear();
    return std::move(result_);
  }

 private:
  bool record_texts();
  bool measure_changes();
  bool measure_costs();
  bool measure_damages();
  bool measure_damage(StageImportance& stage, Sublayer sublayer, int layer, CostPhase phase);
  std::optional<Estimate> damage_without(const std::string& stage, Sublayer sublayer, int layer,
                                         CostPhase phase);
  void prepare_stages();
  void check_stages(const std::vector<StageTrace>& traces, const std::string& piece) const;

  bool stopped() const { return stop_ != nullptr && stop_->load(); }

  void begin(int step, const std::string& what, const std::string& unit, std::int64_t total) {
    progress_ = {step, progress_.steps, what, unit, 0, total};
    tell(0);
  }
  void tell(std::int64_t done) {
    progress_.done = std::min(done, progress_.total);
    if (listener_) listener_(progress_);
  }

  Decoder& decoder_;
  const Program& program_;
  const std::vector<Question>& questions_;
  const ProfileOptions& options_;
  const ProfileListener& listener_;
  const std::atomic<bool>* stop_;
  Importance result_;
  PartialResults pieces_;
  ProfileProgress progress_;
  std::vector<StageTrace> traces_;
  std::unique_ptr<DamageMeter> meter_;  ///< made when the first damage is to be measured
};

/// A piece's traces must be of this program: what comes after takes it for granted.
void Profiler::check_stages(const std::vector<StageTrace>& traces, const std::string& piece) const {
  std::set<std::string> wanted;
  for (const Stage& stage : program_.stages)
    wanted.insert(stage.name);
  std::set<std::string> found;
  for (const StageTrace& trace : traces)
    found.insert(trace.stage);
  if (found != wanted) {
    throw UserError(pieces_.where(piece), "its stages are not the program's",
                    "remove the file to begin anew");
  }
}

bool Profiler::record_texts() {
  begin(1, "texts", "questions", static_cast<std::int64_t>(questions_.size()));
  std::optional<StageStore> store;
  if (!options_.memo.empty())
    store.emplace(options_.memo, result_.model_hash, program_.hash, options_.engine);
  TraceRecorder recorder(decoder_, program_, {store ? &*store : nullptr, options_.kv_reuse});
  for (std::size_t i = 0; i < questions_.size(); ++i) {
    const std::string name = fmt::format("texts {}", i);
    const nlohmann::json* piece = pieces_.find(name);
    if (piece == nullptr) {
      const auto traces = recorder.record(questions_[i], static_cast<int>(i), stop_);
      if (!traces) return false;
      piece = &pieces_.add(name, traces_json(*traces));
    }
    std::vector<StageTrace> traces = read_traces(*piece, pieces_.where(name), decoder_.model());
    check_stages(traces, name);
    for (StageTrace& trace : traces) {
      trace.question = static_cast<int>(i);
      traces_.push_back(std::move(trace));
    }
    tell(static_cast<std::int64_t>(i) + 1);
  }
  return true;
}

void Profiler::prepare_stages() {
  const Model& model = decoder_.model();
  for (const Stage& stage : program_.stages) {
    StageImportance& made = result_.stages.emplace_back();
    made.name = stage.name;
    made.layers.resize(static_cast<std::size_t>(model.layer_count()));
    for (int layer = 0; layer < model.layer_count(); ++layer) {
      for (const Sublayer sublayer : BOTH) {
        SublayerImportance& importance = made.of(sublayer, layer);
        importance.bytes = model.sublayer_bytes(sublayer, layer);
        if (options_.damage_tokens > 0) continue;
        for (SublayerFigures* figures : {&importance.prefill, &importance.decode})
          figures->damage = figures->damage_error = SublayerFigures::UNKNOWN;
      }
    }
  }
}

bool Profiler::measure_changes() {
  begin(2, "cosine", "tokens", 0);  // how many is known when they are run
  const nlohmann::json* piece = pieces_.find("cosine");
  if (piece == nullptr) {
    const InterruptScope interruptible(decoder_, stop_);
    const auto cosines =
        measure_cosines(decoder_, traces_, [&](std::int64_t done, std::int64_t total) {
          progress_.total = total;
          tell(done);
          return !stopped();
        });
    if (!cosines) return false;
    piece = &pieces_.add("cosine", cosines_json(*cosines));
  }
  const std::string where = pieces_.where("cosine");
  const std::vector<StageCosines> cosines = read_cosines(*piece, where, decoder_.model());
  for (StageImportance& stage : result_.stages) {
    const auto found =
        std::find_if(cosines.begin(), cosines.end(),
                     [&](const StageCosines& cosine) { return cosine.stage == stage.name; });
    if (found == cosines.end())
      throw UserError(where, fmt::format("lacks the stage {}", stage.name),
                      "remove the file to begin anew");
    stage.prompt_tokens =
        static_cast<double>(found->prefill_tokens) / static_cast<double>(questions_.size());
    for (std::size_t layer = 0; layer < stage.layers.size(); ++layer) {
      for (std::size_t sublayer = 0; sublayer < BOTH.size(); ++sublayer) {
        SublayerImportance& importance = stage.layers[layer][sublayer];
        const auto set = [](SublayerFigures& figures, const MeanChange& change, bool known) {
          figures.cosine = known ? change.cosine : SublayerFigures::UNKNOWN;
          figures.norm_ratio = known ? change.norm_ratio : SublayerFigures::UNKNOWN;
        };
        set(importance.prefill, found->prefill[layer][sublayer], found->prefill_tokens > 0);
        set(importance.decode, found->decode[layer][sublayer], found->decode_tokens > 0);
      }
    }
  }
  tell(progress_.total);
  return true;
}

bool Profiler::measure_costs() {
  const auto phase_seconds = std::max<std::int64_t>(1, std::llround(options_.cost.max_ms / 1000));
  begin(3, "milliseconds", "seconds",
        phase_seconds * 2 * static_cast<std::int64_t>(result_.stages.size()));
  const std::vector<SublayerGroup> groups = groups_of_equal_work(decoder_.model());
  std::int64_t before = 0;
  for (StageImportance& stage : result_.stages) {
    StageWork work = typical_work(traces_, stage.name, static_cast<int>(questions_.size()),
                                  decoder_.options().context);
    const Stage& described = *program_.find(stage.name);
    if (!needs_all_logits(described, {})) work.head = HeadUse::preview;
    work.writes = writes_text(described);
    stage.fresh_tokens = work.fresh_tokens;
    stage.written_tokens = work.written_tokens;
    const std::string name =
        fmt::format("milliseconds {}, head {}", stage.name, head_identity(decoder_));
    const nlohmann::json* piece = pieces_.find(name);
    if (piece == nullptr) {
      DecoderStopwatch stopwatch(decoder_, work);
      const auto cost = measure_stage_cost(
          groups, decoder_.model().layer_count(), stopwatch, options_.cost,
          [&](CostPhase phase, double ms) {
            const auto seconds = std::min(static_cast<std::int64_t>(ms / 1000), phase_seconds);
            tell(before + (phase == CostPhase::decode ? phase_seconds : 0) + seconds);
            return !stopped();
          });
      if (!cost) return false;
      piece = &pieces_.add(name, cost_json(*cost));
    }
    const StageCost cost = read_cost(*piece, pieces_.where(name), decoder_.model());
    stage.prefill_ms = cost.prefill.value;
    stage.decode_ms = cost.decode.value;
    for (std::size_t layer = 0; layer < stage.layers.size(); ++layer) {
      for (std::size_t sublayer = 0; sublayer < BOTH.size(); ++sublayer) {
        SublayerImportance& importance = stage.layers[layer][sublayer];
        importance.prefill.ms = cost.prefill_saved[layer][sublayer].value;
        importance.prefill.ms_error = cost.prefill_saved[layer][sublayer].error;
        importance.decode.ms = cost.decode_saved[layer][sublayer].value;
        importance.decode.ms_error = cost.decode_saved[layer][sublayer].error;
      }
    }
    before += 2 * phase_seconds;
    tell(before);
  }
  return true;
}

bool Profiler::measure_damages() {
  const auto writes = [](const StageImportance& stage) { return stage.written_tokens > 0; };
  const auto phases = static_cast<std::int64_t>(result_.stages.size()) +
                      std::count_if(result_.stages.begin(), result_.stages.end(), writes);
  begin(4, "damage", "sublayers", phases * 2 * result_.layer_count());
  const InterruptScope interruptible(decoder_, stop_);
  std::int64_t done = 0;
  for (StageImportance& stage : result_.stages) {
    for (const CostPhase phase : PHASES) {
      // Where nothing is written, nothing can be harmed by what is left out in writing.
      if (phase == CostPhase::decode && !writes(stage)) continue;
      for (int layer = 0; layer < result_.layer_count(); ++layer) {
        for (const Sublayer sublayer : BOTH) {
          if (!measure_damage(stage, sublayer, layer, phase)) return false;
          tell(++done);
        }
      }
    }
  }
  return true;
}

bool Profiler::measure_damage(StageImportance& stage, Sublayer sublayer, int layer,
                              CostPhase phase) {
  SublayerMask mask;
  mask.skip(sublayer, layer);
  const std::string name =
      fmt::format("damage {} {} {}", stage.name, name_of(phase), mask.to_string());
  const nlohmann::json* piece = pieces_.find(name);
  if (piece == nullptr) {
    const auto damage = damage_without(stage.name, sublayer, layer, phase);
    if (!damage) return false;
    piece = &pieces_.add(name, damage_json(*damage));
  }
  const Estimate damage = read_damage(*piece, pieces_.where(name));
  SublayerImportance& importance = stage.of(sublayer, layer);
  SublayerFigures& figures = phase == CostPhase::prefill ? importance.prefill : importance.decode;
  figures.damage = damage.value;
  figures.damage_error = damage.error;
  return true;
}

/// @return nothing when it was stopped; not a number when the stage has no token to compare
std::optional<Estimate> Profiler::damage_without(const std::string& stage, Sublayer sublayer,
                                                 int layer, CostPhase phase) {
  if (!meter_) {
    meter_ =
        std::make_unique<DamageMeter>(decoder_, calibration_part(traces_, options_.damage_tokens));
  }
  if (stopped()) return std::nullopt;
  const Damage damage = meter_->measure(stage, without(sublayer, layer, phase));
  if (damage.tokens > 0) return Estimate{std::max(0.0, damage.kl), damage.kl_error};
  if (stopped()) return std::nullopt;
  return Estimate{SublayerFigures::UNKNOWN, SublayerFigures::UNKNOWN};
}

}  // namespace

std::optional<Importance> profile(Decoder& decoder, const Program& program,
                                  const std::vector<Question>& questions,
                                  const ProfileOptions& options, const std::string& partial,
                                  const ProfileListener& listener, const std::atomic<bool>* stop) {
  return Profiler(decoder, program, questions, options, partial, listener, stop).run();
}

}  // namespace litestage
