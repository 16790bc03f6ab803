#include "app/head_trial.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "eval/question_sets.h"
#include "litestage/plan.h"
#include "model/head_file.h"

namespace litestage::app {
namespace {

/// A question's longest contexts with what was written behind them: in a chat the last stage's
/// holds everything, branches have a context each.
HeadTexts longest_texts(const std::vector<StageTrace>& traces) {
  HeadTexts texts;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const StageTrace& trace = traces[i];
    const bool goes_on = std::any_of(traces.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                     traces.end(), [&](const StageTrace& later) {
                                       return later.context.size() > trace.context.size() &&
                                              std::equal(trace.context.begin(), trace.context.end(),
                                                         later.context.begin());
                                     });
    if (goes_on) continue;
    texts.push_back(trace.context);
    texts.back().insert(texts.back().end(), trace.text.begin(), trace.text.end());
  }
  return texts;
}

/// @return nothing when it was stopped
std::optional<LearnedHead> learn(Decoder& decoder, const HeadTexts& texts, ProgressBar& bar,
                                 const std::atomic<bool>& stop) {
  const auto states = hidden_states(decoder, texts, [&](int done, int total) {
    bar.show("head: hidden states", static_cast<std::uint64_t>(done),
             static_cast<std::uint64_t>(total), "texts");
    return !stop.load();
  });
  if (!states) return std::nullopt;
  HeadLearningOptions options;
  options.threads = decoder.options().threads;
  return learn_head(decoder.model(), *states, options, [&](const HeadLearningProgress& progress) {
    bar.show("head: " + progress.what, static_cast<std::uint64_t>(progress.done),
             static_cast<std::uint64_t>(progress.total), "steps");
    return !stop.load();
  });
}

HeadCheck check_on(Decoder& decoder, const HeadTexts& texts, ProgressBar& bar,
                   const std::atomic<bool>& stop) {
  const auto total = static_cast<std::uint64_t>(token_count(texts));
  return check_head(decoder, texts, [&](const HeadCheck& so_far) {
    bar.show("head: check", static_cast<std::uint64_t>(so_far.tokens), total, "tokens",
             {.text = fmt::format("{} missed", so_far.missed)});
    return !stop.load();
  });
}

void write(const LearnedHead& head, const Model& model, const std::string& file) {
  write_head_file({head.info, model.embedding_size(), model.vocabulary_size(), head.projection,
                   GGML_TYPE_Q4_0, head.matrix},
                  file);
}

/// Questions' own texts, until there are so many tokens.
/// @param room tokens: longer texts are passed over
HeadTexts check_texts(std::span<const Question> questions, const Tokenizer& tokenizer, long tokens,
                      std::size_t room) {
  HeadTexts texts;
  long count = 0;
  for (const Question& question : questions) {
    if (count >= tokens) break;
    const std::string text =
        render_template(question.options.empty() ? "{{question}}" : "{{question}}\n{{options}}",
                        {.question = &question, .option = nullptr, .stages = {}});
    std::vector<Token> encoded = tokenizer.encode(text, true, false);
    if (encoded.size() > room) continue;
    count += static_cast<long>(encoded.size());
    texts.push_back(std::move(encoded));
  }
  return texts;
}

}  // namespace

long token_count(const HeadTexts& texts) {
  std::size_t count = 0;
  for (const std::vector<Token>& text : texts)
    count += text.size();
  return static_cast<long>(count);
}

HeadQuestions head_questions(const std::vector<std::string>& sets, const DatasetOptions& dataset,
                             const Decoder& decoder, long check_tokens) {
  DatasetOptions all = dataset;
  all.limit = DatasetOptions{}.limit;
  HeadQuestions questions;
  questions.answered = load_question_sets(sets, all);
  const std::size_t answered = std::min(dataset.limit, questions.answered.size());
  questions.check =
      check_texts(std::span(questions.answered).subspan(answered), decoder.model().tokenizer(),
                  check_tokens, static_cast<std::size_t>(decoder.options().context));
  questions.answered.resize(answered);
  return questions;
}

std::optional<HeadTexts> head_learning_texts(Decoder& decoder, const Program& program,
                                             std::span<const Question> questions,
                                             const TraceMemo& memo, long most_tokens,
                                             ProgressBar& bar, const std::atomic<bool>& stop) {
  for (const Question& question : questions)
    check_fits(program, question, "question " + question.id);
  HeadTexts texts;
  TraceRecorder recorder(decoder, program, memo);
  long count = 0;
  for (std::size_t i = 0; i < questions.size() && count < most_tokens; ++i) {
    bar.show("head: texts", i, questions.size(), "questions");
    const auto traces = recorder.record(questions[i], static_cast<int>(i), &stop);
    if (!traces) return std::nullopt;
    for (std::vector<Token>& text : longest_texts(*traces)) {
      if (count >= most_tokens) break;
      count += static_cast<long>(text.size());
      texts.push_back(std::move(text));
    }
  }
  return texts;
}

std::optional<HeadTrial> try_head(Decoder& decoder, const HeadTexts& learn_from,
                                  const HeadTexts& check, const std::string& output,
                                  ProgressBar& bar, const std::atomic<bool>& stop) {
  constexpr int TIMED_TEXTS = 12;
  const Model& model = decoder.model();
  auto learned = learn(decoder, learn_from, bar, stop);
  if (!learned) return std::nullopt;
  learned->info.model_hash = model_hash(model);
  HeadTrial trial;
  trial.file = std::make_unique<FileBeside>(output);
  const std::string& file = trial.file->path();
  write(*learned, model, file);
  decoder.set_head_preview(HeadPreview::load(file, model, learned->info.model_hash));
  if (!check.empty()) {
    trial.check = check_on(decoder, check, bar, stop);
    learned->info.checked_tokens = trial.check.tokens;
    learned->info.missed = trial.check.missed;
    learned->info.full = trial.check.full;
    write(*learned, model, file);
  }
  if (!stop.load()) trial.timing = time_head(decoder, learn_from, TIMED_TEXTS);
  trial.info = learned->info;
  trial.bytes = decoder.head_preview()->bytes();
  return trial;
}

}  // namespace litestage::app
