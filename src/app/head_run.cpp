#include "app/head_run.h"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/command.h"
#include "app/head_trial.h"
#include "app/output_file.h"
#include "app/progress.h"
#include "app/stop_signal.h"
#include "litestage/program.h"

namespace litestage::app {
namespace {

void present(const HeadTrial& trial, std::size_t head_bytes, bool json) {
  const HeadPreviewInfo& info = trial.info;
  const HeadCheck& check = trial.check;
  const HeadTiming& timing = trial.timing;
  if (json) {
    nlohmann::ordered_json out = {{"rank", info.rank},
                                  {"rotated", info.rotated},
                                  {"proposals", info.proposals},
                                  {"margin", info.margin},
                                  {"bytes", trial.bytes},
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
                        size_text(trial.bytes), size_text(head_bytes)));
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

}  // namespace

int run_head(const HeadSettings& settings) {
  const std::filesystem::path path = find_model(settings.model);
  const std::filesystem::path output =
      settings.output.empty() ? head_preview_path(path) : std::filesystem::path(settings.output);
  check_output(output.string());
  const auto model = Model::load(path, settings.model.options);
  Decoder decoder(model, settings.decoder);
  const Program program = load_program(settings.program);
  const HeadQuestions questions =
      head_questions(settings.questions, settings.dataset, decoder, settings.check_tokens);
  const std::atomic<bool>& stop = catch_stop_signals();
  ProgressBar bar;
  const auto learn =
      head_learning_texts(decoder, program, questions.answered, {}, MOST_LEARNED_TOKENS, bar, stop);
  const auto tried =
      learn ? try_head(decoder, *learn, questions.check, output.string(), bar, stop) : std::nullopt;
  if (!tried) return interrupted();
  // One of before stays until this one is checked, or its check is stopped.
  tried->file->take_its_place();
  bar.wipe();
  present(*tried, model->head_bytes(), settings.json);
  fmt::print(stderr, "{}\n", output.string());
  return stop.load() ? EXIT_INTERRUPTED : EXIT_FINE;
}

}  // namespace litestage::app
