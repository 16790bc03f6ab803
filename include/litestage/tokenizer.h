#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct llama_model;
struct llama_vocab;

namespace litestage {

using Token = std::int32_t;

struct ChatMessage {
  std::string role;  ///< "system", "user" or "assistant"
  std::string content;
};

/// Text to tokens and back, and the chat template, by libllama (vocabulary only, no weights).
class Tokenizer {
 public:
  /// @throws UserError when libllama cannot read the vocabulary
  explicit Tokenizer(const std::filesystem::path& gguf);
  ~Tokenizer();

  /// @param add_special prepend the beginning-of-text token where the model wants one
  /// @param parse_special read markup such as `<|im_start|>` as the one token it stands for
  std::vector<Token> encode(std::string_view text, bool add_special, bool parse_special) const;
  /// The bytes of one token; a character may be spread over several tokens.
  std::string piece(Token token) const;
  /// Puts them behind a text.
  void append_piece(Token token, std::string& text) const;
  std::string decode(std::span<const Token> tokens) const;
  bool is_end_of_generation(Token token) const;
  int size() const;

  /// The tokens that mark the ends of a text; nothing where the vocabulary has none.
  std::optional<Token> beginning_of_text() const;
  std::optional<Token> end_of_text() const;

  /// Jinja source of the file's chat template; empty when it has none.
  std::string chat_template() const;
  bool has_chat_template() const;
  /// The whole conversation as text in the model's own format.
  /// @param open_assistant end with the opening of the assistant's turn
  /// @throws UserError when the file has no template, or one that libllama does not know
  std::string apply_chat_template(std::span<const ChatMessage> messages, bool open_assistant) const;

  const llama_vocab* vocab() const;

 private:
  struct ModelDeleter {
    void operator()(llama_model* model) const;
  };
  std::unique_ptr<llama_model, ModelDeleter> model_;
  std::filesystem::path path_;
};

}  // namespace litestage
