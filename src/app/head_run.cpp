#include "app/head_run.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/command.h"
#include "app/output_file.h"
#include "app/progress.h"
#include "app/stop_signal.h"
#include "app/terminal.h"
#include "base/file_beside.h"
#include "eval/question_sets.h"
#include "litestage/error.h"
#include "litestage/plan.h"
#include "litestage/program.h"
#include "model/head_file.h"
#include "offline/head_learning.h"
#include "offline/stage_trace.h"

namespace litestage::app {
namespace {

/// Texts that the model read and wrote, and texts to check on.
struct HeadTexts {
  std::vector<std::vector<Token>> learn;
  std::vector<std::vector<Token>> check;
};

/// A question's longest contexts with what was written behind them: in a chat the last stage's
/// holds everything, branches have a context each.
std::vector<std::vector<Token>> longest_texts(const std::vector<StageTrace>& traces) {
  std::vector<std::vector<Token>> texts;
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

std::vector<std::vector<Token>> question_texts(const std::vector<Question>& questions,
                                               const Tokenizer& tokenizer, long tokens) {
  std::vector<std::vector<Token>> texts;
  long count = 0;
  for (const Question& question : questions) {
    if (count >= tokens) break;
    const std::string text =
        render_template(question.options.empty() ? "{{question}}" : "{{question}}\n{{options}}",
                        {.question = &question, .option = nullptr, .stages = {}});
    texts.push_back(tokenizer.encode(text, true, false));
    count += static_cast<long>(texts.back().size());
  }
  return texts;
}

std::optional<HeadTexts> make_texts(const HeadSettings& settings, Decoder& decoder,
                                    ProgressBar& bar, const std::atomic<bool>& stop) {
  const Program program = load_program(settings.program);
  DatasetOptions all = settings.dataset;
  all.limit = DatasetOptions{}.limit;
  std::vector<Question> questions = load_question_sets(settings.questions, all);
  const auto first = questions.begin() + static_cast<std::ptrdiff_t>(
                                             std::min(settings.dataset.limit, questions.size()));
  const std::vector<Question> answered(questions.begin(), first);
  for (const Question& question : answered)
    check_fits(program, question, "question " + question.id);
  questions.erase(questions.begin(), first);
  HeadTexts texts;
  texts.check = question_texts(questions, decoder.model().tokenizer(), settings.check_tokens);
  TraceRecorder recorder(decoder, program);
  for (std::size_t i = 0; i < answered.size(); ++i) {
    bar.show("texts", i, answered.size(), "questions");
    const auto traces = recorder.record(answered[i], static_cast<int>(i), &stop);
    if (!traces) return std::nullopt;
    for (std::vector<Token>& text : longest_texts(*traces))
      texts.learn.push_back(std::move(text));
  }
  return texts;
}

void present(const HeadPreviewInfo& info, const HeadCheck& check, const HeadTiming& timing,
             std::size_t bytes, std::size_t head_bytes, bool json) {
  if (json) {
    nlohmann::ordered_json out = {{"rank", info.rank},
                                  {"rotated", info.rotated},
                                  {"proposals", info.proposals},
                                  {"margin", info.margin},
                                  {"bytes", bytes},
                                  {"head_bytes", head_bytes},
                                  {"learned_tokens", info.learned_tokens},
                                  {"checked_tokens", check.tokens},
                                  {"missed", check.missed},
                                  {"missed_bound", check.missed_bound()},
                                  {"full", check.full}};
    if (timing.texts > 0) {
      out["full_ms"] = timing.full_ms;
      out["preview_ms"] = timing.preview_ms;
      out["speedup"] = timing.speedup.value;
      out["speedup_low"] = timing.speedup.low;
      out["speedup_high"] = std::isfinite(timing.speedup.high)
                                ? nlohmann::ordered_json(timing.speedup.high)
                                : nlohmann::ordered_json(nullptr);
    }
    print_out(out.dump(2) + "\n");
    return;
  }
  print_out(fmt::format("Preview of {} dimensions{}: {} in place of {} a token\n", info.rank,
                        info.rotated ? " along learned directions" : ", 4 bits each",
                        size_text(bytes), size_text(head_bytes)));
  if (timing.texts > 0) {
    print_out(
        fmt::format("A token of one text: {:.2f} ms in place of {:.2f}, {:.3f}x as fast "
                    "[{:.3f}, {:.3f}]\n",
                    timing.preview_ms, timing.full_ms, timing.speedup.value, timing.speedup.low,
                    timing.speedup.high));
  }
  if (check.tokens == 0) return;
  print_out(
      fmt::format("Checked on {} tokens: {} would have been another one (at most 1 in {:.0f}, 95 % "
                  "confidence); the whole head was needed for {:.2f} %\n",
                  check.tokens, check.missed, 1 / check.missed_bound(),
                  100.0 * static_cast<double>(check.full) / static_cast<double>(check.tokens)));
}

int interrupted() {
  fmt::print(stderr, "litestage: stopped; nothing was written\n");
  return EXIT_INTERRUPTED;
}

/// @return nothing when it was stopped
std::optional<LearnedHead> learn(Decoder& decoder, const HeadTexts& texts, ProgressBar& bar,
                                 const std::atomic<bool>& stop) {
  const auto states = hidden_states(decoder, texts.learn, [&](int done, int total) {
    bar.show("hidden states", static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total),
             "texts");
    return !stop.load();
  });
  if (!states) return std::nullopt;
  HeadLearningOptions options;
  options.threads = decoder.options().threads;
  return learn_head(decoder.model(), *states, options, [&](const HeadLearningProgress& progress) {
    bar.show(progress.what, static_cast<std::uint64_t>(progress.done),
             static_cast<std::uint64_t>(progress.total), "steps");
    return !stop.load();
  });
}

HeadCheck check(Decoder& decoder, const HeadTexts& texts, long tokens, ProgressBar& bar,
                const std::atomic<bool>& stop) {
  return check_head(decoder, texts.check, [&](const HeadCheck& so_far) {
    bar.show("check", static_cast<std::uint64_t>(so_far.tokens), static_cast<std::uint64_t>(tokens),
             "tokens", fmt::format("{} missed", so_far.missed));
    return !stop.load();
  });
}

void write(const LearnedHead& head, const Model& model, const std::filesystem::path& path) {
  write_head_file({head.info, model.embedding_size(), model.vocabulary_size(), head.projection,
                   GGML_TYPE_Q4_0, head.matrix},
                  path);
}

}  // namespace

int run_head(const HeadSettings& settings) {
  const std::filesystem::path path = find_model(settings.model);
  const std::filesystem::path output =
      settings.output.empty() ? head_preview_path(path) : std::filesystem::path(settings.output);
  check_output(output.string());
  const auto model = Model::load(path, settings.model.options);
  Decoder decoder(model, settings.decoder);
  const std::atomic<bool>& stop = catch_stop_signals();
  ProgressBar bar;
  const auto texts = make_texts(settings, decoder, bar, stop);
  auto learned = texts ? learn(decoder, *texts, bar, stop) : std::nullopt;
  if (!learned) return interrupted();
  learned->info.model_hash = model_hash(*model);
  // One of before stays until this one is checked, or its check is stopped.
  const FileBeside unchecked(output.string());
  write(*learned, *model, unchecked.path());
  decoder.set_head_preview(HeadPreview::load(unchecked.path(), *model, learned->info.model_hash));
  HeadCheck checked;
  if (settings.check_tokens > 0) {
    checked = check(decoder, *texts, settings.check_tokens, bar, stop);
    learned->info.checked_tokens = checked.tokens;
    learned->info.missed = checked.missed;
    learned->info.full = checked.full;
    write(*learned, *model, unchecked.path());
  }
  unchecked.take_its_place();
  constexpr int TIMED_TEXTS = 12;
  const HeadTiming timing =
      stop.load() ? HeadTiming{} : time_head(decoder, texts->learn, TIMED_TEXTS);
  bar.wipe();
  present(learned->info, checked, timing, decoder.head_preview()->bytes(), model->head_bytes(),
          settings.json);
  fmt::print(stderr, "{}\n", output.string());
  return stop.load() ? EXIT_INTERRUPTED : EXIT_FINE;
}

}  // namespace litestage::app
