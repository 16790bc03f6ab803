#include "serve/worker.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "model/interrupt_scope.h"
#include "serve/api_error.h"
#include "serve/logprobs.h"
#include "stage/generate.h"
#include "stage/plan_options.h"

namespace litestage::serve {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

PipelineOptions options_of(const Way& way) {
  PipelineOptions options;
  if (way.plan == nullptr) return options;
  apply_plan(*way.plan, options);
  if (way.exit_rules) return options;
  options.early = {};
  for (auto& [stage, settings] : options.stages)
    settings.exit = {};
  return options;
}

HeadUse head_use(const TextRequest& request) {
  const bool greedy = request.sampler.temperature <= 0.0F && request.sampler.repeat_penalty == 1.0F;
  return greedy && !request.logprobs ? HeadUse::preview : HeadUse::full;
}

ApiError no_room(const UserError& error) {
  return try_later("context_full", std::string("other requests fill the context: ") + error.what());
}

}  // namespace

Worker::Worker(int index, Decoder decoder, Scheduler& scheduler)
    : index_(index), decoder_(std::move(decoder)), scheduler_(scheduler) {}

Pipeline& Worker::pipeline(const Way& way) {
  std::unique_ptr<Pipeline>& pipeline = pipelines_[way];
  if (!pipeline) pipeline = std::make_unique<Pipeline>(decoder_, *way.program, options_of(way));
  return *pipeline;
}

/// @throws ApiError when the job is cancelled meanwhile
void Worker::reserve(const Job& job, int needed) {
  const auto drop = [this] { drop_kept(); };
  if (!scheduler_.reserve(index_, job, kept_cells(), needed, drop))
    Exchange::throw_cancelled(job.exchange->why());
}

void Worker::check(const Way& way, const Question& question) {
  const auto checked = [](const char* code, const auto& check) {
    try {
      check();
    } catch (const UserError& error) {
      throw bad_request(code, error.what(), "question");
    }
  };
  checked("invalid_value", [&] {
    check_question(question, "question");
    check_fits(*way.program, question, "question");
  });
  checked("context_length_exceeded", [&] { pipeline(way).check(question); });
}

QuestionRecord Worker::answer(const Job& job, const Way& way, const Question& question,
                              PipelineListener& listener) {
  check(way, question);
  reserve(job, pipeline(way).room_needed(question));
  const InterruptScope interrupt(decoder_, &job.exchange->cancelled());
  try {
    // Not the pipeline from above: to make room it may have been dropped.
    return pipeline(way).answer(question, &listener, &job.exchange->cancelled());
  } catch (const UserError& error) {
    throw no_room(error);
  }
}

/// Reads the prompt, but what the cache holds of it. @return the logits of its last token
ForwardResult Worker::read_prompt(const TextRequest& request, SequenceId sequence,
                                  TextResult& result) {
  const std::span<const Token> prompt = request.prompt;
  const HeldPrefix held = decoder_.held_prefix(prompt.first(prompt.size() - 1), {});
  if (held.length > 0) decoder_.fork(held.sequence, sequence, held.length);
  result.reused_tokens = held.length;
  std::vector<BatchToken> batch;
  for (const Token token : prompt.subspan(static_cast<std::size_t>(held.length)))
    batch.push_back({token, sequence, false});
  batch.back().want_logits = true;
  return decoder_.forward(batch, {}, {}, head_use(request));
}

/// Reads the whole prompt and notes the logprob of each of its tokens.
/// @return the logits of its last token
ForwardResult Worker::score_prompt(const TextRequest& request, SequenceId sequence,
                                   TextResult& result) {
  constexpr std::size_t ROWS = 64;  // of logits at a time: a row is 0.6 MB in a large vocabulary
  const std::vector<Token>& prompt = request.prompt;
  const int n_vocab = decoder_.model().vocabulary_size();
  result.prompt_logprobs.push_back({prompt[0], std::nullopt, {}});
  ForwardResult part;
  for (std::size_t begin = 0; begin < prompt.size(); begin += ROWS) {
    std::vector<BatchToken> batch;
    for (std::size_t i = begin; i < std::min(prompt.size(), begin + ROWS); ++i)
      batch.push_back({prompt[i], sequence, true});
    part = decoder_.forward(batch);
    if (part.interrupted) return part;
    for (std::size_t row = 0; row < batch.size() && begin + row + 1 < prompt.size(); ++row) {
      result.prompt_logprobs.push_back(logprob_of(part.row(static_cast<int>(row), n_vocab),
                                                  prompt[begin + row + 1],
                                                  request.logprobs.value_or(0)));
    }
  }
  part.logits = part.row(part.rows - 1, n_vocab);
  part.rows = 1;
  return part;
}

void Worker::write(const Job& job, const TextRequest& request, SequenceId sequence,
                   const ForwardResult& first, const std::function<void(std::string_view)>& on_text,
                   TextResult& result) {
  const Tokenizer& tokenizer = decoder_.model().tokenizer();
  std::vector<GenerationBranch> branches;
  branches.push_back({sequence, Sampler(tokenizer, request.sampler)});
  GenerationLimits limits;
  limits.max_tokens = request.max_tokens;
  limits.stop = request.stop;
  limits.head = head_use(request);
  if (request.logprobs) {
    // The end of text too: who scores a prompt leaves out whatever single token follows it.
    limits.on_token = [&](Token token, std::span<const float> logits) {
      result.text_logprobs.push_back(logprob_of(logits, token, *request.logprobs));
    };
  }
  GeneratedText text = std::move(generate(
                                     decoder_, {}, nullptr, first, std::move(branches), limits,
                                     [&](int /*branch*/, std::string_view piece) {
                                       result.text +=
                                           piece;  // whole characters, as a stream has them
                                       on_text(piece);
                                     },
                                     &job.exchange->cancelled())
                                     .front());
  result.tokens = static_cast<int>(text.tokens.size());
  result.stop_reason = text.reason;
}

TextResult Worker::complete(const Job& job, const TextRequest& request,
                            const std::function<void(std::string_view)>& on_text) {
  reserve(job, static_cast<int>(request.prompt.size()) + request.max_tokens);
  const InterruptScope interrupt(decoder_, &job.exchange->cancelled());
  TextResult result;
  result.prompt_tokens = static_cast<int>(request.prompt.size());
  result.stop_reason = StopReason::max_tokens;
  const SequenceId sequence = decoder_.unused_sequence();
  try {
    const Clock::time_point start = Clock::now();
    const ForwardResult first = request.score_prompt ? score_prompt(request, sequence, result)
                                                     : read_prompt(request, sequence, result);
    result.prefill_ms = milliseconds_since(start);
    const Clock::time_point written = Clock::now();
    if (first.interrupted) {
      result.stop_reason = StopReason::interrupted;
    } else if (request.max_tokens > 0) {
      write(job, request, sequence, first, on_text, result);
    }
    result.decode_ms = milliseconds_since(written);
  } catch (const UserError& error) {
    decoder_.remove(sequence);
    throw no_room(error);
  }
  // A conversation's next turn begins with all of this one.
  if (conversation_ >= 0) decoder_.remove(conversation_);
  conversation_ = sequence;
  return result;
}

void Worker::drop_kept() {
  pipelines_.clear();
  if (conversation_ >= 0) decoder_.remove(conversation_);
  conversation_ = -1;
}

int Worker::kept_cells() const {
  int cells = 0;
  for (const SequenceId sequence : decoder_.sequences())
    cells += decoder_.length(sequence);
  return cells;
}

}  // namespace litestage::serve
