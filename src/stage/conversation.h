#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/program.h"
#include "litestage/tokenizer.h"

namespace litestage {

/// The context of a program as it grows stage by stage, as tokens.
///
/// What the model wrote stays as the very tokens it wrote, so that their KV can be used again; only
/// the text around them is encoded. In the chat format that text is what the model's template puts
/// between the turns.
class Conversation {
 public:
  /// @throws UserError when a chat program meets a model without a usable template
  Conversation(const Program& program, const Tokenizer& tokenizer);

  /// Tokens before every question: what can be read once and kept.
  const std::vector<Token>& preamble() const { return preamble_; }

  /// The context with one more prompt, and the opening of the answer to it: where a stage starts
  /// writing.
  std::vector<Token> open(const std::string& prompt, const std::string& begin) const;

  /// Makes a prompt and the answer to it part of the context.
  /// @param opened what open() gave for them
  /// @param written the tokens sampled; those that lie beyond `text` are left out
  void close(const std::string& prompt, const std::string& begin, std::vector<Token> opened,
             std::span<const Token> written, const std::string& text);

 private:
  std::string render(const std::string& prompt) const;

  ProgramFormat format_;
  const Tokenizer& tokenizer_;
  std::vector<Token> preamble_;
  std::vector<ChatMessage> messages_;  // chat only
  std::vector<Token> tokens_;          // of all turns so far
  std::string text_;                   // what they stand for
};

}  // namespace litestage
