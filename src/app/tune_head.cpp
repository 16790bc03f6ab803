#include "app/tune_head.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "app/command.h"
#include "app/head_trial.h"
#include "app/output_file.h"
#include "app/stop_signal.h"
#include "litestage/error.h"
#include "litestage/plan.h"
#include "litestage/version.h"
#include "offline/stage_store.h"

namespace litestage::app {
namespace {

int without_preview(const std::string& why) {
  fmt::print(stderr, "head: no preview: {}\n", why);
  return EXIT_FINE;
}

/// Why none is looked for at all; empty: one is.
std::string no_preview_wanted(const SearchSettings& settings, const Model& model,
                              const std::string& output) {
  if (std::string why = no_preview_helps(model); !why.empty()) return why;
  if (std::ranges::find(settings.questions, "-") != settings.questions.end())
    return "questions from the standard input can be read only once";
  try {
    check_output(output);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

/// What the memo keeps of a preview that was not worth having, under this name. It is none of the
/// times that retime forgets: those are of a search's candidates.
std::string verdict_name(const Decoder& decoder) {
  return fmt::format("preview of the head on {}, {} threads, litestage {}", machine_name(),
                     decoder.options().threads, litestage_version());
}

void keep_verdict(StageStore& store, const std::string& name, const HeadTrial& trial) {
  const Ratio& speedup = trial.timing.speedup;
  store.store_measurement(
      name, {static_cast<double>(trial.check.tokens), static_cast<double>(trial.check.missed),
             static_cast<double>(trial.timing.texts), speedup.value, speedup.low, speedup.high});
}

/// Why one was not worth having before; empty: nothing is known of one.
std::string kept_verdict(StageStore& store, const std::string& name) {
  constexpr std::size_t FIGURES = 6;
  const auto known = store.find_measurement(name);
  if (!known || known->size() != FIGURES) return "";
  const std::vector<double>& v = *known;
  HeadCheck check;
  check.tokens = static_cast<long>(v[0]);
  check.missed = static_cast<long>(v[1]);
  HeadTiming timing;
  timing.texts = static_cast<int>(v[2]);
  timing.speedup = {v[3], v[4], v[5]};
  return not_worth_having(check, timing);
}

/// Learns one and judges it.
int learn_and_judge(const SearchSettings& settings, Decoder& decoder, const std::string& output) {
  const Program program = load_program(settings.program);
  StageStore store(settings.memo, model_hash(decoder.model()), program.hash,
                   engine_text(settings.model.options, decoder.options()));
  const std::string name = verdict_name(decoder);
  if (const std::string why = kept_verdict(store, name); !why.empty()) return without_preview(why);

  DatasetOptions few = settings.dataset;
  few.limit = std::min(HEAD_QUESTIONS, few.limit);
  const HeadQuestions questions =
      head_questions(settings.questions, few, decoder, HEAD_CHECK_TOKENS);
  if (const long tokens = token_count(questions.check); tokens < TOKENS_A_MISS)
    return without_preview(not_worth_having({tokens, 0, 0}, {}));
  const std::atomic<bool>& stop = catch_stop_signals();
  ProgressBar bar;
  const auto learn =
      head_learning_texts(decoder, program, questions.answered, {&store, settings.search.kv_reuse},
                          MOST_LEARNED_TOKENS, bar, stop);
  if (learn && token_count(*learn) < static_cast<long>(FEWEST_HEAD_STATES)) {
    bar.wipe();
    return without_preview(fmt::format("{} tokens to learn from are too few", token_count(*learn)));
  }
  const auto tried =
      learn ? try_head(decoder, *learn, questions.check, output, bar, stop) : std::nullopt;
  if (!tried || stop.load()) return EXIT_INTERRUPTED;
  bar.wipe();
  if (const std::string why = not_worth_having(tried->check, tried->timing); !why.empty()) {
    keep_verdict(store, name, *tried);
    return without_preview(why);
  }
  tried->file->take_its_place();
  fmt::print(stderr,
             "head: a token is written {:.3f}x as fast with a preview, {} of {} would have been "
             "another one; all verbs use it from now on, --head full leaves it out: {}\n",
             tried->timing.speedup.value, tried->check.missed, tried->check.tokens, output);
  return EXIT_FINE;
}

}  // namespace

int learn_head_to_tune(const SearchSettings& settings) {
  if (settings.model.head != "auto") return EXIT_FINE;
  const std::filesystem::path path = find_model(settings.model);
  const std::string output = head_preview_path(path).string();
  if (std::filesystem::exists(output)) return EXIT_FINE;
  const auto model = Model::load(path, settings.model.options);
  if (const std::string why = no_preview_wanted(settings, *model, output); !why.empty())
    return without_preview(why);
  Decoder decoder(model, settings.decoder);
  try {
    return learn_and_judge(settings, decoder, output);
  } catch (const UserError& error) {
    // Nobody asked for a preview: what the tune itself cannot do without, it will say again.
    return without_preview(error.what());
  }
}

}  // namespace litestage::app
