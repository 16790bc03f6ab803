// What n-gram drafts would gain: the next tokens are guessed to be those that followed the last n
// tokens where they stood before (in the question, an earlier stage or the text itself), and the
// model computes all guesses in one batch and keeps the right ones. What stages wrote tells how
// many would have been right; what batches of one sequence cost is measured here. Nothing is
// written anew where a memo knows the texts.
//
//   build/release/bench/draft_gain -m qwen2.5-coder-0.5b --program plan-solve
//       --questions gsm8k/train_1500.jsonl --limit 40 [--memo plan-solve.memo]

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <span>

#include "app/command.h"
#include "app/dataset_options.h"
#include "app/logging.h"
#include "app/model_options.h"
#include "base/elapsed.h"
#include "bench_main.h"
#include "eval/question_sets.h"
#include "litestage/error.h"
#include "litestage/plan.h"
#include "offline/stage_store.h"
#include "offline/stage_trace.h"

namespace {

using namespace litestage;

constexpr int MOST_DRAFT = 7;

/// Tokens that followed the last `n` tokens of a text where these stood last; at most `most`.
std::span<const Token> draft(std::span<const Token> text, std::size_t n, std::size_t most) {
  if (text.size() <= n) return {};
  const auto last = text.last(n);
  for (std::size_t end = text.size() - 1; end >= n; --end) {
    if (std::ranges::equal(text.subspan(end - n, n), last))
      return text.subspan(end, std::min(most, text.size() - end));
  }
  return {};
}

/// What one setting would have done on all texts.
struct Outcome {
  int written = 0;
  int guessed = 0;
  int right = 0;
  std::map<int, int> calls;  ///< by tokens in the batch
};

void replay(const StageTrace& trace, std::size_t n, std::size_t most, Outcome& outcome) {
  std::vector<Token> all = trace.context;
  all.insert(all.end(), trace.text.begin(), trace.text.end());
  std::size_t at = trace.context.size();
  while (at < all.size()) {
    const auto guess = draft(std::span(all).first(at), n, most);
    std::size_t right = 0;
    while (right < guess.size() && at + right < all.size() && guess[right] == all[at + right])
      ++right;
    ++outcome.calls[static_cast<int>(guess.size()) + 1];
    outcome.guessed += static_cast<int>(guess.size());
    outcome.right += static_cast<int>(right);
    const std::size_t step = std::min(right + 1, all.size() - at);
    outcome.written += static_cast<int>(step);
    at += step;
  }
}

/// Median milliseconds of computing 1 to MOST_DRAFT + 1 tokens behind a context, logits of each.
std::map<int, double> batch_costs(Decoder& decoder, std::span<const Token> context) {
  constexpr int ROUNDS = 15;
  decoder.clear();
  std::vector<BatchToken> reading;
  for (const Token token : context)
    reading.push_back({token, 0, false});
  decoder.forward(reading, {});
  std::map<int, std::vector<double>> times;
  for (int round = -1; round < ROUNDS; ++round) {  // the round before the first builds graphs
    for (int size = 1; size <= MOST_DRAFT + 1; ++size) {
      std::vector<BatchToken> batch(static_cast<std::size_t>(size),
                                    BatchToken{context.back(), 0, true});
      decoder.forward(batch, {});  // a graph of this shape
      decoder.truncate(0, static_cast<int>(context.size()));
      const auto start = std::chrono::steady_clock::now();
      decoder.forward(batch, {});
      const double ms = milliseconds_since(start);
      decoder.truncate(0, static_cast<int>(context.size()));
      if (round >= 0) times[size].push_back(ms);
    }
  }
  std::map<int, double> costs;
  for (auto& [size, all] : times) {
    std::ranges::nth_element(all, all.begin() + ROUNDS / 2);
    costs[size] = all[ROUNDS / 2];
  }
  return costs;
}

/// The texts of stages that write one of them at a time.
std::vector<StageTrace> single_texts(Decoder& decoder, const Program& program,
                                     const std::vector<Question>& questions, StageStore* store) {
  std::vector<StageTrace> texts;
  TraceRecorder recorder(decoder, program, {store, KvReuse::whole});
  for (std::size_t i = 0; i < questions.size(); ++i) {
    auto traces = recorder.record(questions[i], static_cast<int>(i));
    for (StageTrace& trace : *traces) {
      if (!trace.text.empty() && !program.find(trace.stage)->for_each_option)
        texts.push_back(std::move(trace));
    }
  }
  return texts;
}

void report(const std::vector<StageTrace>& texts, const std::map<int, double>& costs) {
  fmt::print("batch of one sequence, ms:");
  for (const auto& [size, ms] : costs)
    fmt::print(" {}: {:.1f}", size, ms);
  fmt::print(
      "\n\n| n | draft at most | tokens a call | guesses right, % | writing, times as fast |\n");
  fmt::print("|---:|---:|---:|---:|---:|\n");
  for (const int n : {2, 3, 4, 6, 8}) {
    for (const int most : {1, 2, 3, 5, MOST_DRAFT}) {
      Outcome outcome;
      for (const StageTrace& trace : texts)
        replay(trace, static_cast<std::size_t>(n), static_cast<std::size_t>(most), outcome);
      int calls = 0;
      double ms = 0;
      for (const auto& [size, count] : outcome.calls) {
        calls += count;
        ms += count * costs.at(size);
      }
      fmt::print("| {} | {} | {:.2f} | {:.0f} | {:.3f} |\n", n, most,
                 static_cast<double>(outcome.written) / calls,
                 100.0 * outcome.right / std::max(1, outcome.guessed),
                 outcome.written * costs.at(1) / ms);
    }
  }
}

int run(int argc, char** argv) {
  CLI::App cli{"What n-gram drafts would gain.", "draft_gain"};
  app::ModelArguments model_arguments;
  DecoderOptions decoder_options;
  std::string program_name;
  std::string memo;
  std::vector<std::string> sets;
  DatasetOptions dataset;
  dataset.limit = 40;
  cli.add_option("--program", program_name, "Program")->required();
  app::add_question_sets(cli, sets, "Question set", "Questions")->required();
  app::add_dataset_options(cli, dataset, "Questions");
  cli.add_option("--memo", memo, "Memo of a search of this program and model");
  app::add_model_options(cli, model_arguments);
  app::add_decoder_options(cli, decoder_options, app::ContextOption::chosen);
  if (!bench::parse(cli, argc, argv)) return app::EXIT_FINE;
  app::set_up_logging(false);
  const std::shared_ptr<const Model> model =
      Model::load(app::find_model(model_arguments), model_arguments.options);
  Decoder decoder(model, decoder_options);
  const Program program = load_program(program_name);
  const std::vector<Question> questions = load_question_sets(sets, dataset);
  std::optional<StageStore> store;
  if (!memo.empty()) store.emplace(memo, model_hash(*model), program.hash);
  const std::vector<StageTrace> texts =
      single_texts(decoder, program, questions, store ? &*store : nullptr);
  if (texts.empty()) throw UserError("--program", "no stage writes one text at a time");
  std::size_t tokens = 0;
  for (const StageTrace& trace : texts)
    tokens += trace.text.size();
  fmt::print("{} texts, {} tokens\n", texts.size(), tokens);
  report(texts, batch_costs(decoder, texts[texts.size() / 2].context));
  return app::EXIT_FINE;
}

}  // namespace

int main(int argc, char** argv) {
  return litestage::bench::bench_main("draft_gain", [&] { return run(argc, argv); });
}
