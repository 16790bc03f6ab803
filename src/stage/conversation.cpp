#include "stage/conversation.h"

#include <algorithm>
#include <utility>

namespace litestage {

Conversation::Conversation(const Program& program, const Tokenizer& tokenizer)
    : format_(program.format), tokenizer_(tokenizer) {
  if (format_ == ProgramFormat::plain) {
    preamble_ = tokenizer.encode(program.preamble, true, false);
    tokens_ = preamble_;
    text_ = program.preamble;
    return;
  }
  if (!program.preamble.empty()) messages_.push_back({"system", program.preamble});
  // A template may put the system text into the first user turn: what any two questions share is
  // then what their renderings have in common.
  const std::vector<Token> one = tokenizer.encode(render("a"), true, true);
  const std::vector<Token> other = tokenizer.encode(render("b"), true, true);
  preamble_.assign(one.begin(),
                   std::mismatch(one.begin(), one.end(), other.begin(), other.end()).first);
}

std::string Conversation::render(const std::string& prompt) const {
  std::vector<ChatMessage> messages = messages_;
  messages.push_back({"user", prompt});
  return tokenizer_.apply_chat_template(messages, true);
}

std::vector<Token> Conversation::open(const std::string& prompt, const std::string& begin) const {
  std::vector<Token> tokens = tokens_;
  const auto append = [&](std::string_view text, bool parse_special) {
    const std::vector<Token> more = tokenizer_.encode(text, tokens.empty(), parse_special);
    tokens.insert(tokens.end(), more.begin(), more.end());
  };
  if (format_ == ProgramFormat::plain) {
    append(prompt + begin, false);
    return tokens;
  }
  const std::string rendered = render(prompt);
  if (rendered.starts_with(text_)) {
    append(std::string_view(rendered).substr(text_.size()), true);
  } else {  // the template changes earlier turns: nothing of them can be kept as it is
    tokens.clear();
    append(rendered, true);
  }
  if (!begin.empty()) append(begin, false);
  return tokens;
}

void Conversation::close(const std::string& prompt, const std::string& begin,
                         std::vector<Token> opened, std::span<const Token> written,
                         const std::string& text) {
  tokens_ = std::move(opened);
  std::size_t covered = 0;
  for (const Token token : written) {
    const std::string piece = tokenizer_.piece(token);
    if (text.compare(covered, piece.size(), piece) != 0) break;
    tokens_.push_back(token);
    covered += piece.size();
  }
  const std::vector<Token> rest =
      tokenizer_.encode(std::string_view(text).substr(covered), false, false);
  tokens_.insert(tokens_.end(), rest.begin(), rest.end());
  if (format_ == ProgramFormat::plain) {
    text_ += prompt + begin + text;
    return;
  }
  text_ = render(prompt) + begin + text;
  messages_.push_back({"user", prompt});
  messages_.push_back({"assistant", begin + text});
}

}  // namespace litestage
