#include "litestage/pipeline.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/elapsed.h"
#include "litestage/error.h"
#include "model/interrupt_scope.h"
#include "stage/conversation.h"
#include "stage/early_answer.h"
#include "stage/kept_preamble.h"
#include "stage/longest_context.h"
#include "stage/stage_memo.h"
#include "stage/stage_runner.h"

namespace litestage {
namespace {

using Clock = std::chrono::steady_clock;

/// Removes the sequences of one question when it ends: all that are neither foreign nor hold
/// the preamble then.
class SequenceScope {
 public:
  explicit SequenceScope(const QuestionRun& run) : run_(run) {}
  SequenceScope(const SequenceScope&) = delete;
  SequenceScope& operator=(const SequenceScope&) = delete;
  ~SequenceScope() {
    const auto among = [](const std::vector<SequenceId>& ids, SequenceId id) {
      return std::find(ids.begin(), ids.end(), id) != ids.end();
    };
    for (const SequenceId id : run_.decoder.sequences()) {
      if (!among(run_.foreign, id) && !among(run_.preamble.sequences(), id))
        run_.decoder.remove(id);
    }
  }

 private:
  const QuestionRun& run_;
};

std::string majority(const std::vector<std::string>& votes) {
  std::string best;
  std::ptrdiff_t most = 0;
  for (const std::string& vote : votes) {  // the first to reach the most wins a tie
    const auto count = std::count(votes.begin(), votes.end(), vote);
    if (!vote.empty() && count > most) {
      most = count;
      best = vote;
    }
  }
  return best;
}

/// What an early answer leads to.
enum class Look {
  go_on,
  sure,  ///< the stages left are left out
  interrupted,
};

/// The stages of one vote so far, for a memo.
struct History {
  std::string digest;     ///< of all calls; empty under KvReuse::exact
  bool computes = false;  ///< whether any stage was, which the preamble was read for
  /// Remembered stages whose KV later ones go on from, and which was not computed.
  struct Remembered {
    const StageSettings* settings;
    StageContext context;
    std::vector<Token> text;
  };
  std::vector<Remembered> not_computed;
};

void check_phases(const StageSettings& settings, const std::string& where) {
  const auto missing = settings.prefill.skipped_attention() & ~settings.decode.skipped_attention();
  if (missing.none()) return;
  throw UserError(where,
                  fmt::format("attention that is left out while reading ({}) is needed while "
                              "writing ({})",
                              settings.prefill.to_string(), settings.decode.to_string()),
                  "leave it out of both");
}

}  // namespace

struct Pipeline::Impl {
  Impl(Decoder& used, Program wanted, PipelineOptions chosen)
      : decoder(used),
        program(std::move(wanted)),
        options(std::move(chosen)),
        start(program, decoder.model().tokenizer()),
        preamble(decoder, start.preamble()) {
    for (const auto& [name, settings] : options.stages) {
      if (program.find(name) == nullptr) {
        throw UserError("--mask-" + name,
                        fmt::format("the program {} has no stage of that name", program.name),
                        "its stages are: " + stage_names());
      }
      check_phases(settings, "stage " + name);
    }
    check_phases(options.settings, "pipeline");
    assert(options.memo == nullptr ||
           (!options.schedules && !options.merge_branches && options.keep_kv));
    if (options.merge_branches && !options.keep_kv) {
      throw UserError("--merge-branches", "no KV is kept that could be taken over",
                      "leave out --kv none");
    }
    if (options.votes < 1) throw UserError("--votes", "there must be at least one vote");
  }

  std::string stage_names() const {
    std::string names;
    for (const Stage& stage : program.stages)
      names += (names.empty() ? "" : ", ") + stage.name;
    return names;
  }

  const StageSettings& settings_of(const Stage& stage) const {
    const auto own = options.stages.find(stage.name);
    return own == options.stages.end() ? options.settings : own->second;
  }

  /// Sequences that neither this pipeline nor a question made.
  std::vector<SequenceId> foreign_sequences() const {
    std::vector<SequenceId> foreign = decoder.sequences();
    std::erase_if(foreign, [&](SequenceId id) {
      return std::ranges::find(preamble.sequences(), id) != preamble.sequences().end();
    });
    return foreign;
  }

  std::vector<SublayerMask> prefill_masks() const;
  void check_length(const Question& question) const;
  StageOutcome compute(QuestionRun& run, const StageCall& call, History& history);
  StageOutcome run_or_remember(QuestionRun& run, const Stage& stage,
                               const std::vector<StageContext>& contexts, History& history);
  struct Vote;
  bool looks_early(const Question& question, std::size_t next) const;
  StageOutcome ask_early(QuestionRun& run, std::size_t next, Vote& vote);
  bool run_one(QuestionRun& run, const Stage& stage, Vote& vote, QuestionRecord& record);
  Look look_early(QuestionRun& run, std::size_t next, Vote& vote, QuestionRecord& record);
  std::string one_vote(QuestionRun& run, QuestionRecord& record);

  Decoder& decoder;
  Program program;
  PipelineOptions options;
  Conversation start;  ///< as it stands before every question
  KeptPreamble preamble;
};

/// What is known on the way from stage to stage.
struct Pipeline::Impl::Vote {
  Vote(Conversation start, const Question& question)
      : conversation(std::move(start)),
        values{.question = &question, .option = nullptr, .stages = {}} {}

  Conversation conversation;
  TemplateValues values;
  History history;
  std::optional<EarlyChoice> early;  ///< the last one, if the program was asked for any
  /// Of an early answer before the first stage, which reads the question again otherwise.
  std::optional<SequenceId> question_read;
  std::string answer;
};

void Pipeline::Impl::check_length(const Question& question) const {
  const std::size_t widest = longest_context(program, start, question);
  const auto room = static_cast<std::size_t>(decoder.options().context);
  if (widest > room) {
    throw UserError(
        question.id.empty() ? "question" : "question " + question.id,
        fmt::format("with the program {} it may need {} tokens, but the context holds {}",
                    program.name, widest, room),
        "use a larger -c, or shorten the question");
  }
}

/// What stages leave out while reading: each mask once, in the order of the stages.
std::vector<SublayerMask> Pipeline::Impl::prefill_masks() const {
  std::vector<SublayerMask> masks;
  for (const Stage& stage : program.stages) {
    const SublayerMask& mask = settings_of(stage).prefill;
    if (std::find(masks.begin(), masks.end(), mask) == masks.end()) masks.push_back(mask);
  }
  return masks;
}

/// A stage's outcome from the model, for the memo too.
StageOutcome Pipeline::Impl::compute(QuestionRun& run, const StageCall& call, History& history) {
  // Where every stage is remembered, not even the preamble is read.
  if (!std::exchange(history.computes, true) && options.keep_kv)
    preamble.keep(prefill_masks(), options.kv_reuse);
  for (const History::Remembered& earlier : history.not_computed)
    replay_stage(run, *earlier.settings, earlier.context, earlier.text);
  history.not_computed.clear();
  StageOutcome outcome = run_stage(run, call.stage, call.settings, call.contexts);
  if (options.memo != nullptr && !outcome.interrupted) options.memo->store(call, outcome);
  return outcome;
}

/// A stage's outcome from the memo or, else, from the model.
StageOutcome Pipeline::Impl::run_or_remember(QuestionRun& run, const Stage& stage,
                                             const std::vector<StageContext>& contexts,
                                             History& history) {
  const StageSettings& settings = settings_of(stage);
  const StageCall call{run.question,           stage,         settings, contexts, run.seed,
                       run.greedy_temperature, history.digest};
  if (options.memo == nullptr) return compute(run, call, history);
  if (options.kv_reuse == KvReuse::whole) history.digest = call_digest(call);
  std::optional<StageOutcome> known = options.memo->find(call);
  if (!known) return compute(run, call, history);
  for (StageRecord& record : known->records)
    record.remembered = true;
  if (options.kv_reuse == KvReuse::whole && contexts.size() == 1 && !stage.for_each_option)
    history.not_computed.push_back({&settings, contexts[0], known->tokens[0]});
  return std::move(*known);
}

/// Runs a stage and makes what it wrote known to those after it. @return false when interrupted
bool Pipeline::Impl::run_one(QuestionRun& run, const Stage& stage, Vote& vote,
                             QuestionRecord& record) {
  std::vector<StageContext> contexts;
  std::string prompt;
  std::string begin;
  const auto open = [&](const Option* option) {
    vote.values.option = option;
    prompt = render_template(stage.prompt, vote.values);
    begin = render_template(stage.begin, vote.values);
    contexts.push_back(
        {vote.conversation.open(prompt, begin), option == nullptr ? "" : option->letter});
    vote.values.option = nullptr;
  };
  std::vector<Option> branches;
  if (stage.for_each_option) {
    const int most = options.early.most_branches;
    const bool all = most == 0 || !vote.early;
    branches = all ? run.question.options : vote.early->likeliest(run.question, most);
    for (const Option& option : branches)
      open(&option);
  } else {
    open(nullptr);
  }
  StageOutcome outcome = run_or_remember(run, stage, contexts, vote.history);
  record.stages.insert(record.stages.end(), outcome.records.begin(), outcome.records.end());
  if (outcome.interrupted) return false;
  if (stage.for_each_option) {
    std::vector<std::string> texts;
    for (const StageRecord& branch : outcome.records)
      texts.push_back(branch.text);
    vote.values.stages.emplace_back(stage.name, join_branches(branches, texts));
  } else {
    vote.values.stages.emplace_back(stage.name, outcome.records[0].text);
    vote.conversation.close(prompt, begin, std::move(contexts[0].tokens), outcome.tokens[0],
                            outcome.raw_texts[0]);
  }
  if (stage.name == program.answer_stage)
    vote.answer = read_value(stage, run.question, outcome.records[0].text);
  return true;
}

/// Whether an early answer is asked for before that stage.
bool Pipeline::Impl::looks_early(const Question& question, std::size_t next) const {
  const EarlyAnswers& early = options.early;
  if (!early.any() || !program.early_answer || question.options.empty()) return false;
  if (next == 0) return early.ask_first && early.leave_at <= 1 && can_ask_first(program);
  // Branches add nothing to the conversation: the choice would be what it was before them.
  if (program.stages[next - 1].for_each_option) return false;
  const bool chooses_branches =
      early.most_branches > 0 &&
      std::any_of(program.stages.begin() + static_cast<std::ptrdiff_t>(next), program.stages.end(),
                  [](const Stage& stage) { return stage.for_each_option; });
  return early.leave_at <= 1 || chooses_branches;
}

/// The outcome of asking for an early answer before a stage, from the memo or the model; nothing
/// later goes on from it.
StageOutcome Pipeline::Impl::ask_early(QuestionRun& run, std::size_t next, Vote& vote) {
  const bool first = next == 0;
  const std::vector<StageContext> contexts = {
      early_answer_context(program, vote.conversation, run.question, first)};
  // Asked as the stage before was run, whose KV is gone on from, or as the first one will be.
  const StageSettings& settings = settings_of(program.stages[first ? 0 : next - 1]);
  const StageCall call{run.question, early_answer_stage(),   settings,           contexts,
                       run.seed,     run.greedy_temperature, vote.history.digest};
  if (options.memo != nullptr) {
    if (std::optional<StageOutcome> known = options.memo->find(call)) {
      StageRecord& record = known->records[0];
      record.remembered = true;
      const bool sure = record.margin >= options.early.leave_at;
      record.stop_reason = sure ? StopReason::sure : StopReason::choice;
      return std::move(*known);
    }
  }
  run.sure_at = options.early.leave_at;
  StageOutcome outcome = compute(run, call, vote.history);
  run.sure_at = EarlyAnswers::NEVER;
  if (first) {
    vote.question_read = outcome.sequence;
  } else if (outcome.sequence) {
    run.decoder.remove(*outcome.sequence);
  }
  return outcome;
}

/// Asks for an early answer before a stage, where it can be of use.
Look Pipeline::Impl::look_early(QuestionRun& run, std::size_t next, Vote& vote,
                                QuestionRecord& record) {
  if (!looks_early(run.question, next)) return Look::go_on;
  StageOutcome outcome = ask_early(run, next, vote);
  record.stages.push_back(outcome.records[0]);
  if (outcome.interrupted) return Look::interrupted;
  vote.early = EarlyChoice{std::move(outcome.option_probabilities.at(0))};
  return outcome.records[0].stop_reason == StopReason::sure ? Look::sure : Look::go_on;
}

std::string Pipeline::Impl::one_vote(QuestionRun& run, QuestionRecord& record) {
  const SequenceScope scope(run);
  Vote vote(start, run.question);
  for (std::size_t i = 0; i < program.stages.size(); ++i) {
    const Look look = look_early(run, i, vote, record);
    if (look == Look::sure) return record.stages.back().text;
    if (look == Look::interrupted || !run_one(run, program.stages[i], vote, record)) {
      record.interrupted = true;
      break;
    }
    if (vote.question_read) run.decoder.remove(*std::exchange(vote.question_read, std::nullopt));
  }
  return vote.answer;
}

Pipeline::Pipeline(Decoder& decoder, Program program, PipelineOptions options)
    : impl_(std::make_unique<Impl>(decoder, std::move(program), std::move(options))) {}
Pipeline::~Pipeline() = default;

const Program& Pipeline::program() const {
  return impl_->program;
}

void Pipeline::check(const Question& question) const {
  const std::string where = question.id.empty() ? "question" : "question " + question.id;
  check_question(question, where, DoubledOptions::allow);
  check_fits(impl_->program, question, where);
  impl_->check_length(question);
}

int Pipeline::room_needed(const Question& question) const {
  const auto room = static_cast<std::size_t>(impl_->decoder.options().context);
  const std::size_t most =
      longest_context(impl_->program, impl_->start, question) * impl_->prefill_masks().size();
  return static_cast<int>(std::min(most, room));
}

QuestionRecord Pipeline::answer(const Question& question, PipelineListener* listener,
                                const std::atomic<bool>* stop) {
  Impl& impl = *impl_;
  check(question);

  PipelineListener nobody;
  const Clock::time_point start = Clock::now();
  QuestionRecord record;
  record.question = question;
  const InterruptScope interrupt(impl.decoder, stop);
  const std::vector<SequenceId> foreign = impl.foreign_sequences();
  for (int vote = 0; vote < impl.options.votes && !record.interrupted; ++vote) {
    constexpr std::uint32_t SEED_STEP = 1000;  // more than any stage has branches
    QuestionRun run{impl.decoder, question, listener != nullptr ? *listener : nobody, impl.preamble,
                    stop};
    run.seed = impl.options.seed + static_cast<std::uint32_t>(vote) * SEED_STEP;
    run.kv_reuse = impl.options.kv_reuse;
    run.keep_kv = impl.options.keep_kv;
    run.branches_in_turn = impl.options.branches_in_turn;
    run.record_confidence = impl.options.record_confidence;
    run.merge_branches = impl.options.merge_branches;
    if (impl.options.schedules) run.schedules = &impl.options.schedules;
    run.foreign = foreign;
    if (impl.options.votes > 1) run.greedy_temperature = impl.options.vote_temperature;
    record.votes.push_back(impl.one_vote(run, record));
  }
  record.answer = majority(record.votes);
  if (impl.options.votes == 1) record.votes.clear();
  record.total_ms = milliseconds_since(start);
  return record;
}

}  // namespace litestage
