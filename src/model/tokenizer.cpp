#include "litestage/tokenizer.h"

#include <array>
#include <cassert>
#include <exception>
#include <limits>

#include <llama.h>

#include "litestage/error.h"

namespace litestage {

void Tokenizer::ModelDeleter::operator()(llama_model* model) const {
  llama_model_free(model);
}

Tokenizer::Tokenizer(const std::filesystem::path& gguf) : path_(gguf) {
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  model_.reset(llama_model_load_from_file(gguf.c_str(), params));
  if (!model_) {
    throw UserError(gguf.string(), "libllama cannot read its vocabulary",
                    "get the file again, or use another model");
  }
}

Tokenizer::~Tokenizer() = default;

const llama_vocab* Tokenizer::vocab() const {
  return llama_model_get_vocab(model_.get());
}

int Tokenizer::size() const {
  return llama_vocab_n_tokens(vocab());
}

std::vector<Token> Tokenizer::encode(std::string_view text, bool add_special,
                                     bool parse_special) const {
  constexpr std::size_t LIMIT = std::numeric_limits<std::int32_t>::max() / 2;
  if (text.size() > LIMIT) throw UserError("text", "it is longer than 1 GiB", "shorten it");
  std::vector<Token> tokens(text.size() + 2);
  try {
    const int count =
        llama_tokenize(vocab(), text.data(), static_cast<std::int32_t>(text.size()), tokens.data(),
                       static_cast<std::int32_t>(tokens.size()), add_special, parse_special);
    if (count >= 0) {
      tokens.resize(static_cast<std::size_t>(count));
      return tokens;
    }
    tokens.resize(static_cast<std::size_t>(-count));
    const int again =
        llama_tokenize(vocab(), text.data(), static_cast<std::int32_t>(text.size()), tokens.data(),
                       static_cast<std::int32_t>(tokens.size()), add_special, parse_special);
    assert(again == -count);
    tokens.resize(static_cast<std::size_t>(again));
  } catch (const std::exception& error) {
    // libllama looks bytes up that a damaged vocabulary lacks.
    throw UserError(path_.string(),
                    std::string("its vocabulary cannot encode the text: ") + error.what(),
                    "get the file again");
  }
  return tokens;
}

std::string Tokenizer::piece(Token token) const {
  std::string text;
  append_piece(token, text);
  return text;
}

void Tokenizer::append_piece(Token token, std::string& text) const {
  std::array<char, 128> buffer{};
  const int length = llama_token_to_piece(vocab(), token, buffer.data(),
                                          static_cast<std::int32_t>(buffer.size()), 0, true);
  if (length >= 0) {
    text.append(buffer.data(), static_cast<std::size_t>(length));
    return;
  }
  const std::size_t begin = text.size();
  text.resize(begin + static_cast<std::size_t>(-length));
  llama_token_to_piece(vocab(), token, text.data() + begin, -length, 0, true);
}

std::string Tokenizer::decode(std::span<const Token> tokens) const {
  std::string text;
  for (const Token token : tokens)
    append_piece(token, text);
  return text;
}

bool Tokenizer::is_end_of_generation(Token token) const {
  return llama_vocab_is_eog(vocab(), token);
}

std::optional<Token> Tokenizer::beginning_of_text() const {
  const Token token = llama_vocab_bos(vocab());
  return token == LLAMA_TOKEN_NULL ? std::nullopt : std::optional(token);
}

std::optional<Token> Tokenizer::end_of_text() const {
  const Token token = llama_vocab_eos(vocab());
  return token == LLAMA_TOKEN_NULL ? std::nullopt : std::optional(token);
}

std::string Tokenizer::chat_template() const {
  const char* source = llama_model_chat_template(model_.get(), nullptr);
  return source == nullptr ? "" : source;
}

bool Tokenizer::has_chat_template() const {
  return !chat_template().empty();
}

std::string Tokenizer::apply_chat_template(std::span<const ChatMessage> messages,
                                           bool open_assistant) const {
  const char* source = llama_model_chat_template(model_.get(), nullptr);
  if (source == nullptr) {
    throw UserError(path_.string(), "it has no chat template", "use a program in the plain format");
  }
  std::vector<llama_chat_message> chat;
  std::size_t size = 256;
  for (const ChatMessage& message : messages) {
    chat.push_back({message.role.c_str(), message.content.c_str()});
    size += 2 * message.content.size() + 64;
  }
  std::string text(size, '\0');
  int length = 0;
  for (int attempt = 0; attempt < 2; ++attempt) {
    length = llama_chat_apply_template(source, chat.data(), chat.size(), open_assistant,
                                       text.data(), static_cast<std::int32_t>(text.size()));
    if (length < 0) {
      throw UserError(path_.string(), "libllama does not know its chat template",
                      "use a program in the plain format");
    }
    if (static_cast<std::size_t>(length) <= text.size()) break;
    text.resize(static_cast<std::size_t>(length));
  }
  text.resize(static_cast<std::size_t>(length));
  return text;
}

}  // namespace litestage
