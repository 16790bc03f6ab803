// In which form a stage that quotes branches takes over their KV best. Each question is answered
// with nothing merged; then the last stage's context is read again, and in every form with the KV
// of the very texts that the branches wrote, so that forms differ by nothing but what they take
// over. The last stage must choose by the letters' logits, and quote the branches.
//
//   build/release/bench/merge_forms -m qwen2.5-coder-1.5b --program recall-analyze-answer
//       --questions openbookqa/dev.jsonl --limit 30

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "app/command.h"
#include "app/dataset_options.h"
#include "app/logging.h"
#include "app/model_options.h"
#include "base/elapsed.h"
#include "base/statistics.h"
#include "bench_main.h"
#include "eval/question_sets.h"
#include "litestage/error.h"
#include "litestage/pipeline.h"
#include "offline/stage_recorder.h"
#include "stage/branch_merge.h"
#include "stage/choice.h"
#include "stage/stage_runner.h"

namespace {

using namespace litestage;

/// What is taken over, and of which context. The KV is that of runs of tokens which both the
/// branches and the context hold.
struct Form {
  std::string name;
  bool merged = true;     ///< else everything is read
  int before = 0;         ///< tokens in front of its text that a branch may give too
  int anew = 0;           ///< first tokens of each run that are computed all the same
  bool joined = false;    ///< what stands between the runs is left out of the context
  bool reversed = false;  ///< the lines that quote branches stand in reversed order
};

const std::vector<Form> FORMS = {
    {.name = "read again", .merged = false},
    {.name = "texts"},
    {.name = "texts but their first token", .anew = 1},
    {.name = "texts but their first 4 tokens", .anew = 4},
    {.name = "texts but their first 8 tokens", .anew = 8},
    {.name = "texts with what stands before them in the branch", .before = 8},
    {.name = "joined without separators, read again", .merged = false, .joined = true},
    {.name = "joined without separators", .joined = true},
    {.name = "reversed, read again", .merged = false, .reversed = true},
    {.name = "reversed", .reversed = true},
};

/// What a form did, by question.
struct Outcome {
  std::vector<double> ms;
  std::vector<double> taken_over;   ///< tokens
  std::vector<double> divergences;  ///< of the options' probabilities from those read again, nats
  int same = 0;                     ///< answers as read again
  int right = 0;
};

/// Tokens to read, and which of them branches hold.
struct Reading {
  std::vector<Token> tokens;
  std::vector<KeptText> kept;
};

/// The lines that hold the runs, in reversed order.
std::vector<Token> reversed_lines(const Reading& reading, const Tokenizer& tokenizer) {
  const std::vector<Token>& tokens = reading.tokens;
  const auto ends_line = [&](std::size_t at) {
    return tokenizer.piece(tokens[at]).find('\n') != std::string::npos;
  };
  std::vector<std::size_t> bounds;
  for (const KeptText& run : reading.kept) {
    auto start = static_cast<std::size_t>(run.at);
    while (start > 0 && !ends_line(start - 1))
      --start;
    bounds.push_back(start);
  }
  auto end = static_cast<std::size_t>(reading.kept.back().at + reading.kept.back().count);
  while (end < tokens.size() && !ends_line(end - 1))
    ++end;
  bounds.push_back(end);
  const auto place = [&](std::size_t at) {
    return tokens.begin() + static_cast<std::ptrdiff_t>(at);
  };
  std::vector<Token> result(tokens.begin(), place(bounds.front()));
  for (std::size_t line = bounds.size() - 1; line > 0; --line)
    result.insert(result.end(), place(bounds[line - 1]), place(bounds[line]));
  result.insert(result.end(), place(end), tokens.end());
  return result;
}

/// The runs one behind the other, without the tokens between them.
Reading joined(const Reading& reading) {
  Reading result;
  const auto copy = [&](int from, int to) {
    result.tokens.insert(result.tokens.end(), reading.tokens.begin() + from,
                         reading.tokens.begin() + to);
  };
  copy(0, reading.kept.front().at);
  for (KeptText run : reading.kept) {
    const int at = std::exchange(run.at, static_cast<int>(result.tokens.size()));
    copy(at, at + run.count);
    result.kept.push_back(run);
  }
  copy(reading.kept.back().at + reading.kept.back().count, static_cast<int>(reading.tokens.size()));
  return result;
}

/// What is read of a context in a form, behind what the cache holds of it.
/// @param texts of the branches, in the context's order
Reading reading_of(const Form& form, const std::vector<Token>& tokens,
                   std::vector<WrittenText> texts, const Tokenizer& tokenizer) {
  Reading reading{tokens, find_quoted(tokens, texts)};
  if (reading.kept.empty()) return reading;
  if (form.reversed) {
    reading.tokens = reversed_lines(reading, tokenizer);
    std::ranges::reverse(texts);
    reading.kept = find_quoted(reading.tokens, texts);
  }
  if (form.joined) reading = joined(reading);
  if (!form.merged) reading.kept.clear();
  std::erase_if(reading.kept, [&](const KeptText& run) { return run.count <= form.anew; });
  for (KeptText& run : reading.kept) {
    run.first += form.anew;
    run.at += form.anew;
    run.count -= form.anew;
  }
  return reading;
}

/// One question's branches, in a cache of their own as they were written, and the context of the
/// stage that quotes them.
class Merging {
 public:
  /// @param decoder emptied
  Merging(Decoder& decoder, const StageLog& branches, const StageLog& last)
      : decoder_(decoder), branches_(branches), context_(last.contexts.at(0).tokens) {
    decoder.clear();
    const std::size_t shared = shared_length(branches.contexts);
    const std::span<const Token> first(branches.contexts[0].tokens);
    if (shared > 0) decoder.forward(0, first.first(shared));
    for (std::size_t i = 0; i < branches.contexts.size(); ++i) {
      const SequenceId sequence = static_cast<SequenceId>(i) + 1;
      const std::vector<Token>& context = branches.contexts[i].tokens;
      if (shared > 0) decoder.fork(0, sequence);
      decoder.forward(sequence, std::span<const Token>(context).subspan(shared));
      const std::vector<Token>& text = branches.texts[i];
      if (text.size() > 1) decoder.forward(sequence, std::span(text).first(text.size() - 1));
    }
  }

  /// Reads the context in a form, and lets go of it.
  /// @return the options' probabilities; how long it took and what was taken over go to the outcome
  std::vector<double> read(const Form& form, const Question& question, Outcome& outcome) {
    const std::span<const Token> context(context_);
    const HeldPrefix held = decoder_.held_prefix(context.first(context.size() - 1), {});
    const SequenceId sequence = decoder_.unused_sequence();
    if (held.length > 0) decoder_.fork(held.sequence, sequence, held.length);
    const auto rest = context.subspan(static_cast<std::size_t>(held.length));
    const Tokenizer& tokenizer = decoder_.model().tokenizer();
    const Reading reading =
        reading_of(form, {rest.begin(), rest.end()}, texts(form.before), tokenizer);
    const LetterTokens letters = letter_tokens(tokenizer, question);
    const auto start = std::chrono::steady_clock::now();
    const ForwardResult result =
        decoder_.forward(sequence, reading.tokens, reading.kept, {}, HeadUse::full, letters.tokens);
    outcome.ms.push_back(milliseconds_since(start));
    outcome.taken_over.push_back(result.taken_over);
    std::vector<double> probabilities =
        option_probabilities(letters, question.options.size(), result.logits);
    decoder_.remove(sequence);
    return probabilities;
  }

 private:
  /// What the branches wrote and read, with so many tokens of what they had read before it.
  std::vector<WrittenText> texts(int before) const {
    std::vector<WrittenText> texts;
    for (std::size_t i = 0; i < branches_.contexts.size(); ++i) {
      const SequenceId sequence = static_cast<SequenceId>(i) + 1;
      const std::vector<Token>& context = branches_.contexts[i].tokens;
      const int first = std::max(0, static_cast<int>(context.size()) - before);
      WrittenText text{sequence, first, {context.begin() + first, context.end()}};
      const std::vector<Token>& written = branches_.texts[i];
      if (!written.empty())
        text.tokens.insert(text.tokens.end(), written.begin(), written.end() - 1);
      texts.push_back(std::move(text));
    }
    return texts;
  }

  Decoder& decoder_;
  const StageLog& branches_;
  const std::vector<Token>& context_;
};

double divergence(const std::vector<double>& from, const std::vector<double>& to) {
  constexpr double LEAST = 1e-12;
  double sum = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] > 0) sum += from[i] * std::log(from[i] / std::max(to[i], LEAST));
  }
  return sum;
}

std::string letter(const Question& question, const std::vector<double>& probabilities) {
  const auto best = std::ranges::max_element(probabilities) - probabilities.begin();
  return question.options[static_cast<std::size_t>(best)].letter;
}

/// One question in all forms. @param turn moves the order in which they are timed
void compare(Merging& merging, const Question& question, std::size_t turn,
             std::vector<Outcome>& outcomes) {
  std::vector<std::vector<double>> probabilities(FORMS.size());
  for (std::size_t i = 0; i < FORMS.size(); ++i) {
    const std::size_t form = (i + turn) % FORMS.size();
    probabilities[form] = merging.read(FORMS[form], question, outcomes[form]);
  }
  const std::string again = letter(question, probabilities[0]);
  for (std::size_t form = 0; form < FORMS.size(); ++form) {
    const std::string answer = letter(question, probabilities[form]);
    outcomes[form].same += answer == again ? 1 : 0;
    outcomes[form].right += is_correct(question, answer) ? 1 : 0;
    outcomes[form].divergences.push_back(divergence(probabilities[0], probabilities[form]));
  }
}

void report(const std::vector<Outcome>& outcomes) {
  constexpr std::uint32_t SEED = 1;  // of the bootstrap
  const std::size_t count = outcomes[0].ms.size();
  fmt::print(
      "| form | tokens taken over | ms | times as fast [95 %] | right of {} | answers as read "
      "again | divergence, nats |\n| --- | ---: | ---: | --- | ---: | ---: | ---: |\n",
      count);
  for (std::size_t form = 0; form < FORMS.size(); ++form) {
    const Outcome& outcome = outcomes[form];
    const Ratio ratio = bootstrap_ratio_95(outcomes[0].ms, outcome.ms, SEED);
    fmt::print("| {} | {:.0f} | {:.0f} | {:.2f} [{:.2f}, {:.2f}] | {} | {} | {:.3f} |\n",
               FORMS[form].name, mean(outcome.taken_over), mean(outcome.ms), ratio.value, ratio.low,
               ratio.high, outcome.right, outcome.same, mean(outcome.divergences));
  }
}

/// The branches that the last stage may quote; null where there is one branch or none.
const StageLog* branches_of(const std::vector<StageLog>& stages) {
  const auto found = std::ranges::find_if(
      stages.rbegin(), stages.rend(), [](const StageLog& log) { return log.contexts.size() > 1; });
  return found == stages.rend() ? nullptr : &*found;
}

int run(int argc, char** argv) {
  CLI::App cli{"In which form a stage takes over the KV of branches best.", "merge_forms"};
  app::ModelArguments model_arguments;
  DecoderOptions decoder_options;
  std::string program_name;
  std::vector<std::string> sets;
  DatasetOptions dataset;
  dataset.limit = 30;
  cli.add_option("--program", program_name, "Program whose last stage chooses by logits")
      ->required();
  app::add_question_sets(cli, sets, "Question set with answers", "Questions")->required();
  app::add_dataset_options(cli, dataset, "Questions");
  app::add_model_options(cli, model_arguments);
  app::add_decoder_options(cli, decoder_options, app::ContextOption::chosen);
  if (!bench::parse(cli, argc, argv)) return app::EXIT_FINE;
  app::set_up_logging(false);
  const Program program = load_program(program_name);
  if (writes_text(program.stages.back()))
    throw UserError("--program", "its last stage does not choose by logits", "name another one");
  const std::vector<Question> questions = load_question_sets(sets, dataset);
  const std::shared_ptr<const Model> model =
      Model::load(app::find_model(model_arguments), model_arguments.options);
  Decoder decoder = app::make_decoder(model, decoder_options, model_arguments);
  Decoder scratch(model, decoder_options);
  StageRecorder recorder;
  PipelineOptions options;
  options.memo = &recorder;
  Pipeline pipeline(decoder, program, options);
  std::vector<Outcome> outcomes(FORMS.size());
  for (const Question& question : questions) {
    pipeline.answer(question);
    const std::vector<StageLog> stages = recorder.take();
    const StageLog* branches = branches_of(stages);
    if (branches == nullptr) continue;
    Merging merging(scratch, *branches, stages.back());
    compare(merging, question, outcomes[0].ms.size(), outcomes);
  }
  if (outcomes[0].ms.empty())
    throw UserError("--program", "no stage wrote several branches", "name another one");
  report(outcomes);
  return app::EXIT_FINE;
}

}  // namespace

int main(int argc, char** argv) {
  return litestage::bench::bench_main("merge_forms", [&] { return run(argc, argv); });
}
