#include "stage/generate.h"

#include <utility>

#include "stage/text_stream.h"

namespace litestage {
namespace {

/// The state of one branch while it is written.
struct Writer {
  TextStream stream;
  GeneratedText result;
  bool ended = false;
};

}  // namespace

std::vector<GeneratedText> generate(Decoder& decoder, const SublayerMask& mask,
                                    const ForwardResult& first,
                                    std::vector<GenerationBranch> branches,
                                    const GenerationLimits& limits, const TextCallback& on_text,
                                    const std::atomic<bool>* stop) {
  const Tokenizer& tokenizer = decoder.model().tokenizer();
  const int n_vocab = decoder.model().vocabulary_size();
  std::vector<Writer> writers(branches.size(), Writer{TextStream(limits.stop), {}, false});
  const auto end = [&](std::size_t branch, StopReason reason) {
    Writer& writer = writers[branch];
    writer.ended = true;
    writer.result.reason = reason;
    const std::string_view rest = writer.stream.finish();
    if (!rest.empty()) on_text(static_cast<int>(branch), rest);
  };
  const auto take = [&](std::size_t branch, Token token) {
    Writer& writer = writers[branch];
    if (tokenizer.is_end_of_generation(token)) {
      return end(branch, limits.has_grammar ? StopReason::grammar : StopReason::end_of_text);
    }
    writer.result.tokens.push_back(token);
    const std::string_view shown = writer.stream.add(tokenizer.piece(token));
    if (!shown.empty()) on_text(static_cast<int>(branch), shown);
    if (writer.stream.stopped()) return end(branch, StopReason::stop_string);
    if (static_cast<int>(writer.result.tokens.size()) >= limits.max_tokens)
      end(branch, StopReason::max_tokens);
  };

  ForwardResult result = first;
  std::vector<std::size_t> row_branch(branches.size());
  for (std::size_t i = 0; i < branches.size(); ++i)
    row_branch[i] = i;
  std::vector<BatchToken> batch;
  while (!row_branch.empty()) {
    batch.clear();
    std::vector<std::size_t> going_on;
    for (std::size_t row = 0; row < row_branch.size(); ++row) {
      const std::size_t branch = row_branch[row];
      if (stop != nullptr && stop->load()) {
        end(branch, StopReason::interrupted);
        continue;
      }
      const Token token =
          branches[branch].sampler.sample(result.row(static_cast<int>(row), n_vocab));
      take(branch, token);
      if (writers[branch].ended) continue;
      batch.push_back({token, branches[branch].sequence, true});
      going_on.push_back(branch);
    }
    row_branch = std::move(going_on);
    if (batch.empty()) break;
    result = decoder.forward(batch, mask);
    if (result.interrupted) {
      for (const std::size_t branch : row_branch)
        end(branch, StopReason::interrupted);
      break;
    }
  }
  std::vector<GeneratedText> texts;
  for (Writer& writer : writers) {
    writer.result.text = writer.stream.text();
    texts.push_back(std::move(writer.result));
  }
  return texts;
}

}  // namespace litestage
