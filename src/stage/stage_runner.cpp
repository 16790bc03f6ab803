#include "stage/stage_runner.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "base/elapsed.h"
#include "base/text_file.h"
#include "stage/choice.h"
#include "stage/generate.h"

namespace litestage {
namespace {

using Clock = std::chrono::steady_clock;

/// What all contexts of a stage begin with, in a sequence that each of them goes on from.
struct SharedStart {
  SequenceId sequence = 0;
  std::size_t length = 0;  // tokens
  int held = 0;            // of these, found in the cache
  bool interrupted = false;
};

/// Contexts placed in the cache, with the logits after each of them.
struct Prefilled {
  std::size_t first = 0;  // index of the first of them in the stage
  std::vector<SequenceId> sequences;
  ForwardResult result;
};

/// Lets go of sequences of this question and its program, the newest first, until `tokens` more
/// fit: under masks that differ from stage to stage, what one stage read is of no use to the next.
void make_room(QuestionRun& run, std::size_t tokens, SequenceId kept) {
  std::vector<SequenceId> living = run.decoder.sequences();
  while (!living.empty() && static_cast<std::size_t>(run.decoder.free_cells()) < tokens) {
    const SequenceId newest = living.back();
    living.pop_back();
    const bool foreign = std::binary_search(run.foreign.begin(), run.foreign.end(), newest);
    if (foreign || newest == kept) continue;
    run.decoder.remove(newest);
    run.preamble.forget(newest);
    std::erase_if(run.branches, [&](const WrittenText& text) { return text.sequence == newest; });
  }
}

/// Keeps what branches wrote, where later stages are to take it over, or lets go of it.
void keep_or_remove_branches(QuestionRun& run, const std::vector<StageContext>& contexts,
                             const Prefilled& prefilled, const StageOutcome& outcome) {
  for (std::size_t i = 0; i < prefilled.sequences.size(); ++i) {
    const SequenceId sequence = prefilled.sequences[i];
    const std::size_t branch = prefilled.first + i;
    const auto read = static_cast<int>(contexts[branch].tokens.size());
    const int written = run.decoder.length(sequence) - read;
    if (!run.merge_branches || written <= 0) {
      run.decoder.remove(sequence);
      continue;
    }
    const std::vector<Token>& tokens = outcome.tokens[branch];
    const auto count = std::min(tokens.size(), static_cast<std::size_t>(written));
    run.branches.push_back(
        {sequence, read, {tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(count)}});
  }
}

/// Makes room for a stage and places what its contexts share: what the cache holds of it and,
/// where there are several, the rest of it too.
/// @param writing tokens that will be written behind them
SharedStart read_shared(QuestionRun& run, const SublayerMask& mask,
                        const std::vector<StageContext>& contexts, std::size_t writing) {
  Decoder& decoder = run.decoder;
  SharedStart start;
  start.length = shared_length(contexts);
  const auto shared = std::span<const Token>(contexts[0].tokens).first(start.length);
  HeldPrefix held;
  if (run.keep_kv) held = decoder.held_prefix(shared, mask, run.kv_reuse);
  start.held = held.length;
  const auto rest = shared.subspan(static_cast<std::size_t>(held.length));
  std::size_t needed = rest.size() + writing;
  for (const StageContext& context : contexts)
    needed += context.tokens.size() - start.length;
  make_room(run, needed, held.sequence);
  start.sequence = decoder.unused_sequence();
  if (held.length > 0) decoder.fork(held.sequence, start.sequence, held.length);
  if (contexts.size() == 1 || rest.empty()) return start;
  std::vector<BatchToken> batch;
  for (const Token token : rest)
    batch.push_back({token, start.sequence, false});
  start.interrupted = decoder.forward(batch, mask).interrupted;
  return start;
}

/// Reads the rest of a stage's only context.
/// @param only tokens whose logits alone are wanted; empty: all
Prefilled read_rest(QuestionRun& run, const SublayerMask& mask, const StageContext& context,
                    const SharedStart& start, HeadUse head, std::span<const Token> only) {
  const auto rest =
      std::span<const Token>(context.tokens).subspan(static_cast<std::size_t>(start.held));
  Prefilled prefilled;
  prefilled.sequences = {start.sequence};
  prefilled.result = run.branches.empty()
                         ? run.decoder.forward(start.sequence, rest, mask, head, only)
                         : run.decoder.forward(start.sequence, rest,
                                               find_quoted(rest, run.branches), mask, head, only);
  return prefilled;
}

/// Reads in one batch what some of a stage's contexts do not share.
/// @param first, count which of them
Prefilled read_branches(QuestionRun& run, const SublayerMask& mask,
                        const std::vector<StageContext>& contexts, std::size_t first,
                        std::size_t count, const SharedStart& start, HeadUse head,
                        std::span<const Token> only) {
  Decoder& decoder = run.decoder;
  Prefilled prefilled;
  prefilled.first = first;
  std::vector<BatchToken> batch;
  SequenceId sequence = start.sequence;
  for (const StageContext& context : std::span(contexts).subspan(first, count)) {
    sequence = decoder.unused_sequence(sequence + 1);
    if (start.length > 0) decoder.fork(start.sequence, sequence);
    prefilled.sequences.push_back(sequence);
    for (std::size_t i = start.length; i < context.tokens.size(); ++i)
      batch.push_back({context.tokens[i], sequence, i + 1 == context.tokens.size()});
  }
  prefilled.result = decoder.forward(batch, mask, {}, head, only);
  return prefilled;
}

SamplerOptions sampler_for(const QuestionRun& run, const Stage& stage, std::size_t branch) {
  SamplerOptions options = stage.sampler;
  if (options.temperature <= 0.0F) options.temperature = run.greedy_temperature;
  options.seed += run.seed + static_cast<std::uint32_t>(branch);
  return options;
}

HeadUse head_use(const QuestionRun& run, const Stage& stage, const ExitRule& exit) {
  const bool greedy = run.greedy_temperature <= 0.0F;
  const bool shows_all =
      run.listener.wants_confidence() && exit.confidence != ConfidenceKind::largest_logit;
  const bool previews =
      greedy && !run.record_confidence && !shows_all && !needs_all_logits(stage, exit);
  return previews ? HeadUse::preview : HeadUse::full;
}

/// What decides the masks of a stage's text, or nothing where they stay as they are.
std::unique_ptr<MaskSchedule> schedule_for(const QuestionRun& run, const Stage& stage,
                                           const ExitRule& exit) {
  if (run.schedules == nullptr) return nullptr;
  const int longest =
      exit.max_tokens > 0 ? std::min(exit.max_tokens, stage.max_tokens) : stage.max_tokens;
  return (*run.schedules)(stage.name, longest);
}

void write(QuestionRun& run, const Stage& stage, const StageSettings& settings,
           const Prefilled& prefilled, StageOutcome& outcome) {
  const std::size_t first = prefilled.first;
  const bool has_grammar = stage.output == OutputKind::choice;
  const std::string grammar = has_grammar ? choice_grammar(run.question) : "";
  std::vector<GenerationBranch> branches;
  for (std::size_t i = 0; i < prefilled.sequences.size(); ++i) {
    branches.push_back(
        {prefilled.sequences[i],
         Sampler(run.decoder.model().tokenizer(), sampler_for(run, stage, first + i), grammar)});
  }
  const auto on_text = [&](int branch, std::string_view piece) {
    run.listener.on_text(stage.name, static_cast<int>(first) + branch, piece);
  };
  const std::string pattern = stage.output == OutputKind::pattern ? stage.pattern : "";
  const std::unique_ptr<MaskSchedule> schedule = schedule_for(run, stage, settings.exit);
  GenerationLimits limits{stage.max_tokens,
                          stage.stop,
                          has_grammar,
                          settings.exit,
                          pattern,
                          run.record_confidence,
                          head_use(run, stage, settings.exit)};
  if (run.listener.wants_confidence()) {
    limits.on_confidence = [&](int branch, float value) {
      run.listener.on_confidence(stage.name, static_cast<int>(first) + branch, value);
    };
  }
  std::vector<GeneratedText> texts =
      generate(run.decoder, settings.decode, schedule.get(), prefilled.result, std::move(branches),
               limits, on_text, run.stop);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    StageRecord& record = outcome.records[first + i];
    record.text = trimmed(texts[i].text);
    record.tokens = static_cast<int>(texts[i].tokens.size());
    record.stop_reason = texts[i].reason;
    record.mask = texts[i].mask.to_string();
    outcome.raw_texts[first + i] = texts[i].text;
    outcome.tokens[first + i] = std::move(texts[i].tokens);
    if (run.record_confidence) outcome.confidences.push_back(std::move(texts[i].confidences));
    outcome.interrupted = outcome.interrupted || texts[i].reason == StopReason::interrupted;
  }
}

void choose(QuestionRun& run, const Stage& stage, const LetterTokens& letters,
            const Prefilled& prefilled, StageOutcome& outcome) {
  for (std::size_t i = 0; i < prefilled.sequences.size(); ++i) {
    const std::size_t branch = prefilled.first + i;
    StageRecord& record = outcome.records[branch];
    const auto row =
        prefilled.result.row(static_cast<int>(i), static_cast<int>(letters.tokens.size()));
    outcome.option_probabilities.push_back(
        option_probabilities(letters, run.question.options.size(), row));
    record.text = likeliest_letter(run.question, outcome.option_probabilities.back());
    record.margin = lead(outcome.option_probabilities.back());
    record.stop_reason = *record.margin >= run.sure_at ? StopReason::sure : StopReason::choice;
    outcome.raw_texts[branch] = record.text;
    run.listener.on_text(stage.name, static_cast<int>(branch), record.text);
  }
}

/// What is known of a stage before it is run.
StageOutcome unwritten(const Stage& stage, const StageSettings& settings,
                       const std::vector<StageContext>& contexts) {
  StageOutcome outcome;
  outcome.raw_texts.resize(contexts.size());
  outcome.tokens.resize(contexts.size());
  for (const StageContext& context : contexts) {
    StageRecord record;
    record.name = stage.name;
    record.option = context.option;
    record.prompt_tokens = static_cast<int>(context.tokens.size());
    record.mask = settings.decode.to_string();
    record.prefill_mask = settings.prefill.to_string();
    outcome.records.push_back(std::move(record));
  }
  return outcome;
}

/// Writes down what a stage's contexts bear together: what they share, and the time.
/// @param done contexts that were written on
void share_out(const SharedStart& start, std::size_t done, double prefill_ms, double decode_ms,
               std::vector<StageRecord>& records) {
  const auto count = static_cast<double>(records.size());
  const int shared = start.interrupted ? 0 : static_cast<int>(start.length);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i >= done) records[i].stop_reason = StopReason::interrupted;
    records[i].reused_tokens += i == 0 ? start.held : shared;  // the first one bears what all share
    records[i].prefill_ms = prefill_ms / count;
    records[i].decode_ms = decode_ms / count;
  }
}

}  // namespace

bool writes_text(const Stage& stage) {
  return stage.output != OutputKind::choice || stage.choice_by != ChoiceBy::logits;
}

bool needs_all_logits(const Stage& stage, const ExitRule& exit) {
  const bool samples = stage.sampler.temperature > 0.0F || stage.sampler.repeat_penalty != 1.0F;
  const bool watches_all =
      exit.watches_confidence() && exit.confidence != ConfidenceKind::largest_logit;
  const bool has_grammar = stage.output == OutputKind::choice && writes_text(stage);
  return samples || watches_all || has_grammar;
}

std::size_t shared_length(const std::vector<StageContext>& contexts) {
  const std::vector<Token>& first = contexts[0].tokens;
  std::size_t shared = first.size() - 1;
  for (const StageContext& context : contexts) {
    shared = std::min(shared, context.tokens.size() - 1);
    const auto end = first.begin() + static_cast<std::ptrdiff_t>(shared);
    shared = static_cast<std::size_t>(
        std::mismatch(first.begin(), end, context.tokens.begin()).first - first.begin());
  }
  return shared;
}

std::string choice_grammar(const Question& question) {
  std::string grammar = "root ::= ";
  for (const Option& option : question.options) {
    if (&option != &question.options.front()) grammar += " | ";
    grammar += '"' + option.letter + '"';
  }
  return grammar;
}

void replay_stage(QuestionRun& run, const StageSettings& settings, const StageContext& context,
                  std::span<const Token> text) {
  const SharedStart start = read_shared(run, settings.prefill, {context}, text.size());
  // Nothing is read from the logits: one of them will do.
  const Prefilled prefilled = read_rest(run, settings.prefill, context, start, HeadUse::preview,
                                        std::span(context.tokens).first(1));
  // The last token written was never read by the model.
  if (prefilled.result.interrupted || text.size() < 2) return;
  std::vector<BatchToken> batch;
  for (const Token token : text.first(text.size() - 1))
    batch.push_back({token, prefilled.sequences[0], false});
  run.decoder.forward(batch, settings.decode);
}

StageOutcome run_stage(QuestionRun& run, const Stage& stage, const StageSettings& settings,
                       const std::vector<StageContext>& contexts) {
  const std::size_t count = contexts.size();
  StageOutcome outcome = unwritten(stage, settings, contexts);
  std::vector<std::string> letters;
  for (const StageContext& context : contexts) {
    if (!context.option.empty()) letters.push_back(context.option);
  }
  run.listener.on_stage_begin(stage.name, letters);

  Clock::time_point last = Clock::now();
  const auto lap_ms = [&last] {
    const double ms = milliseconds_since(last);
    last = Clock::now();
    return ms;
  };
  const bool writes = writes_text(stage);
  const LetterTokens choice =
      writes ? LetterTokens{} : letter_tokens(run.decoder.model().tokenizer(), run.question);
  const HeadUse head = head_use(run, stage, settings.exit);
  const SharedStart start =
      read_shared(run, settings.prefill, contexts,
                  writes ? count * static_cast<std::size_t>(stage.max_tokens) : 0);
  outcome.interrupted = start.interrupted;
  double prefill_ms = start.interrupted ? lap_ms() : 0;
  double decode_ms = 0;
  const std::size_t at_once = run.branches_in_turn ? 1 : count;
  std::size_t done = 0;
  while (done < count && !outcome.interrupted) {
    const Prefilled prefilled =
        count == 1 ? read_rest(run, settings.prefill, contexts[0], start, head, choice.tokens)
                   : read_branches(run, settings.prefill, contexts, done, at_once, start, head,
                                   choice.tokens);
    prefill_ms += lap_ms();
    outcome.records[done].reused_tokens = prefilled.result.taken_over;
    outcome.interrupted = prefilled.result.interrupted;
    if (!outcome.interrupted) {
      if (writes)
        write(run, stage, settings, prefilled, outcome);
      else
        choose(run, stage, choice, prefilled, outcome);
      done += at_once;
    }
    decode_ms += lap_ms();
    if (count > 1) keep_or_remove_branches(run, contexts, prefilled, outcome);
  }
  share_out(start, done, prefill_ms, decode_ms, outcome.records);
  if (count == 1 && run.keep_kv) {
    outcome.sequence = start.sequence;
  } else {
    run.decoder.remove(start.sequence);
  }
  run.listener.on_stage_end(outcome.records);
  return outcome;
}

}  // namespace litestage
