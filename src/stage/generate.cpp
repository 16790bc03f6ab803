#include "stage/generate.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

#include "stage/pattern.h"
#include "stage/text_stream.h"

namespace litestage {
namespace {

/// Room for a text of short words; where it does not do, texts take more as they grow.
constexpr std::size_t BYTES_A_TOKEN = 8;

/// Writes texts on branches of one decoder: all that one call of generate() keeps.
class Generation {
 public:
  Generation(Decoder& decoder, SublayerMask mask, MaskSchedule* schedule,
             std::vector<GenerationBranch> branches, const GenerationLimits& limits,
             const TextCallback& on_text, const std::atomic<bool>* stop)
      : decoder_(decoder),
        mask_(std::move(mask)),
        schedule_(schedule),
        branches_(std::move(branches)),
        limits_(limits),
        on_text_(on_text),
        stop_(stop) {
    if (limits.exit.answer_complete && !limits.pattern.empty()) pattern_.emplace(limits.pattern);
    const int most = std::clamp(limits.max_tokens, 0, decoder.options().context);
    writers_.reserve(branches_.size());
    for (std::size_t i = 0; i < branches_.size(); ++i)
      writers_.emplace_back(limits, static_cast<std::size_t>(most));
  }

  std::vector<GeneratedText> run(const ForwardResult& first);

 private:
  /// The state of one branch while it is written.
  struct Writer {
    /// @param most tokens: there is room for them from the beginning
    Writer(const GenerationLimits& limits, std::size_t most)
        : stream(limits.stop), window(limits.exit) {
      stream.reserve(most * BYTES_A_TOKEN);
      result.tokens.reserve(most);
      if (limits.record_confidence) result.confidences.reserve(most);
    }

    TextStream stream;
    ConfidenceWindow window;
    std::string value;  ///< of the pattern, in the text so far
    GeneratedText result;
    bool ended = false;
  };

  void end(std::size_t branch, StopReason reason);
  void take(std::size_t branch, std::span<const float> logits);
  std::optional<StopReason> exit_after(std::size_t branch, std::span<const float> logits);
  bool answer_is_complete(Writer& writer) const;
  bool stop_asked() const { return stop_ != nullptr && stop_->load(); }
  ForwardResult step(std::span<const BatchToken> batch);

  Decoder& decoder_;
  SublayerMask mask_;  // of the last step, or of the first one to come
  MaskSchedule* schedule_;
  int steps_ = 0;
  std::vector<GenerationBranch> branches_;
  const GenerationLimits& limits_;
  const TextCallback& on_text_;
  const std::atomic<bool>* stop_;
  std::optional<Pattern> pattern_;  // what exit.answer_complete waits for
  std::vector<Writer> writers_;
  std::string piece_;  // of the token at hand
};

void Generation::end(std::size_t branch, StopReason reason) {
  Writer& writer = writers_[branch];
  writer.ended = true;
  writer.result.reason = reason;
  writer.result.mask = mask_;
  const std::string_view rest = writer.stream.finish();
  if (!rest.empty()) on_text_(static_cast<int>(branch), rest);
}

/// Whether the stage's value can be read and one more token did not change it.
bool Generation::answer_is_complete(Writer& writer) const {
  const std::string_view value = pattern_->first_match(writer.stream.text());
  const bool same = !value.empty() && value == writer.value;
  writer.value = value;
  return same;
}

/// What the exit rule says after a token; `logits` are those the token was chosen from.
std::optional<StopReason> Generation::exit_after(std::size_t branch,
                                                 std::span<const float> logits) {
  Writer& writer = writers_[branch];
  const ExitRule& rule = limits_.exit;
  if (limits_.record_confidence) writer.result.confidences.push_back(confidence_of(logits));
  if (rule.watches_confidence() || limits_.on_confidence) {
    const float confidence = limits_.record_confidence
                                 ? writer.result.confidences.back().of(rule.confidence)
                                 : confidence_of(logits, rule.confidence);
    if (limits_.on_confidence) limits_.on_confidence(static_cast<int>(branch), confidence);
    if (writer.window.add(confidence)) return StopReason::low_confidence;
  }
  if (pattern_ && answer_is_complete(writer)) return StopReason::answer_complete;
  if (rule.repetition && goes_in_circles(writer.result.tokens)) return StopReason::repetition;
  return std::nullopt;
}

void Generation::take(std::size_t branch, std::span<const float> logits) {
  Writer& writer = writers_[branch];
  const Tokenizer& tokenizer = decoder_.model().tokenizer();
  const Token token = branches_[branch].sampler.sample(logits);
  if (limits_.on_token) limits_.on_token(token, logits);
  if (tokenizer.is_end_of_generation(token)) {
    return end(branch, limits_.has_grammar ? StopReason::grammar : StopReason::end_of_text);
  }
  writer.result.tokens.push_back(token);
  piece_.clear();
  tokenizer.append_piece(token, piece_);
  const std::string_view shown = writer.stream.add(piece_);
  if (!shown.empty()) on_text_(static_cast<int>(branch), shown);
  const std::optional<StopReason> exit = exit_after(branch, logits);
  if (writer.stream.stopped()) return end(branch, StopReason::stop_string);
  if (exit) return end(branch, *exit);
  const int written = static_cast<int>(writer.result.tokens.size());
  if (limits_.exit.max_tokens > 0 && limits_.exit.max_tokens < limits_.max_tokens &&
      written >= limits_.exit.max_tokens)
    return end(branch, StopReason::budget);
  if (written >= limits_.max_tokens) end(branch, StopReason::max_tokens);
}

/// Computes the next token of every branch that goes on; they all have equally many.
ForwardResult Generation::step(std::span<const BatchToken> batch) {
  ++steps_;
  if (schedule_ == nullptr) return decoder_.forward(batch, mask_, {}, limits_.head);
  SublayerMask next = schedule_->next(steps_);
  assert((mask_.skipped_attention() & ~next.skipped_attention()).none());
  mask_ = std::move(next);
  ForwardResult result = decoder_.forward(batch, mask_, schedule_->taps(), limits_.head);
  if (!result.interrupted) schedule_->observe(result);
  return result;
}

std::vector<GeneratedText> Generation::run(const ForwardResult& first) {
  ForwardResult result = first;
  const int n_vocab = decoder_.model().vocabulary_size();
  std::vector<std::size_t> row_branch(branches_.size());
  for (std::size_t i = 0; i < branches_.size(); ++i)
    row_branch[i] = i;
  std::vector<BatchToken> batch;
  while (!row_branch.empty()) {
    for (std::size_t row = 0; row < row_branch.size(); ++row) {
      if (stop_asked()) {
        end(row_branch[row], StopReason::interrupted);
      } else {
        take(row_branch[row], result.row(static_cast<int>(row), n_vocab));
      }
    }
    std::erase_if(row_branch, [&](std::size_t branch) { return writers_[branch].ended; });
    if (row_branch.empty()) break;
    batch.clear();
    for (const std::size_t branch : row_branch)
      batch.push_back({writers_[branch].result.tokens.back(), branches_[branch].sequence, true});
    result = step(batch);
    if (result.interrupted) {
      for (const std::size_t branch : row_branch)
        end(branch, StopReason::interrupted);
      break;
    }
  }
  std::vector<GeneratedText> texts;
  for (Writer& writer : writers_) {
    std::string text = writer.stream.text();
    const bool cut = writer.result.reason == StopReason::low_confidence ||
                     writer.result.reason == StopReason::budget;
    if (cut && limits_.exit.rollback) text.resize(last_sentence_end(text));
    writer.result.text = std::move(text);
    texts.push_back(std::move(writer.result));
  }
  return texts;
}

}  // namespace

std::vector<GeneratedText> generate(Decoder& decoder, const SublayerMask& mask,
                                    MaskSchedule* schedule, const ForwardResult& first,
                                    std::vector<GenerationBranch> branches,
                                    const GenerationLimits& limits, const TextCallback& on_text,
                                    const std::atomic<bool>* stop) {
  return Generation(decoder, mask, schedule, std::move(branches), limits, on_text, stop).run(first);
}

}  // namespace litestage
