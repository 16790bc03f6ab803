#include "serve/text_answer.h"

#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/stage_json.h"
#include "serve/api_error.h"
#include "serve/chat_stream.h"
#include "serve/logprobs_json.h"

namespace litestage::serve {
namespace {

using OrderedJson = nlohmann::ordered_json;

void add_usage(Usage& usage, const TextResult& result) {
  usage.prompt += result.prompt_tokens;
  usage.cached += result.reused_tokens;
  usage.completion += result.tokens;
}

std::vector<Token> encode_chat(const Worker& worker, const ChatRequest& request) {
  const Tokenizer& tokenizer = worker.model().tokenizer();
  std::size_t bytes = 0;
  for (const ChatMessage& message : request.messages)
    bytes += message.content.size();
  check_size(bytes, worker.context());
  std::string text;
  try {
    text = tokenizer.apply_chat_template(request.messages, true);
  } catch (const UserError&) {  // its words name a file of this machine
    throw bad_request("no_chat_template",
                      "the model has no chat template that can be used; ask /v1/completions",
                      "model");
  }
  return tokenizer.encode(text, true, true);
}

/// A prompt's tokens, and its text for an echo.
struct ReadPrompt {
  std::vector<Token> tokens;
  std::string text;
};

ReadPrompt read_prompt(const Worker& worker, const Prompt& prompt) {
  const Tokenizer& tokenizer = worker.model().tokenizer();
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    check_size(text->size(), worker.context());
    return {tokenizer.encode(*text, true, false), *text};
  }
  const auto& tokens = std::get<std::vector<Token>>(prompt);
  for (const Token token : tokens) {
    if (token >= tokenizer.size()) {
      throw bad_request(
          "invalid_value",
          fmt::format("there is no token {}: the vocabulary has {}", token, tokenizer.size()),
          "prompt");
    }
  }
  return {tokens, tokenizer.decode(tokens)};
}

TextRequest text_request(const WritingFields& fields, std::vector<Token> prompt, int max_tokens,
                         int context) {
  TextRequest text;
  text.max_tokens = room_for_text(prompt.size(), max_tokens, context);
  text.prompt = std::move(prompt);
  text.sampler = fields.sampler;
  text.stop = fields.stop;
  return text;
}

}  // namespace

void answer_chat(Service& service, Worker& worker, const Job& job, const Offer& offer,
                 const ChatRequest& request) {
  const int longest = request.writing.max_tokens.value_or(service.limits.max_tokens);
  TextRequest text =
      text_request(request.writing, encode_chat(worker, request), longest, worker.context());
  text.logprobs = request.top_logprobs;
  const bool stream = request.streaming.stream;
  ChatStream chunks(*job.exchange, offer.id, request.streaming.include_usage);
  const TextResult result = worker.complete(job, text, [&](std::string_view piece) {
    if (stream) chunks.add("content", piece);
  });
  check_cancelled(job, service.metrics);
  service.metrics.add_text(result);
  Usage usage;
  add_usage(usage, result);
  const std::string reason = finish_reason(result.stop_reason);
  if (stream) return chunks.end(reason, usage, nullptr);
  OrderedJson json =
      AnswerHead{new_id("chatcmpl-"), "chat.completion", unix_now(), offer.id}.json();
  OrderedJson choice = {{"index", 0},
                        {"message", {{"role", "assistant"}, {"content", result.text}}}};
  choice["logprobs"] = request.top_logprobs
                           ? chat_logprobs(worker.model().tokenizer(), result.text_logprobs)
                           : OrderedJson(nullptr);
  choice["finish_reason"] = reason;
  json["choices"] = OrderedJson::array({std::move(choice)});
  json["usage"] = usage.json();
  job.exchange->reply({.body = json_line(json)});
}

namespace {

/// The answer to a completion request, prompt after prompt, whole or as a stream.
class Completion {
 public:
  Completion(Service& service, Worker& worker, const Job& job, const Offer& offer,
             const CompletionRequest& request)
      : service_(service),
        worker_(worker),
        job_(job),
        request_(request),
        head_{new_id("cmpl-"), "text_completion", unix_now(), offer.id} {}

  /// All prompts are looked at before the first one is worked on.
  void check();
  void run();

 private:
  void answer(std::size_t index);
  void send(std::size_t index, std::string_view text, const OrderedJson& finish_reason);
  static OrderedJson choice(std::size_t index, std::string_view text,
                            const OrderedJson& finish_reason);

  Service& service_;
  Worker& worker_;
  const Job& job_;
  const CompletionRequest& request_;
  AnswerHead head_;
  std::vector<ReadPrompt> prompts_;
  std::vector<TextRequest> texts_;
  Usage usage_;
  OrderedJson choices_ = OrderedJson::array();
};

void Completion::check() {
  constexpr int USUAL = 16;  // OpenAI's default
  for (const Prompt& given : request_.prompts) {
    ReadPrompt prompt = read_prompt(worker_, given);
    TextRequest text = text_request(request_.writing, prompt.tokens,
                                    request_.writing.max_tokens.value_or(USUAL), worker_.context());
    text.logprobs = request_.logprobs;
    text.score_prompt = request_.echo && request_.logprobs.has_value();
    texts_.push_back(std::move(text));
    prompts_.push_back(std::move(prompt));
  }
}

OrderedJson Completion::choice(std::size_t index, std::string_view text,
                               const OrderedJson& finish_reason) {
  return {
      {"text", text}, {"index", index}, {"logprobs", nullptr}, {"finish_reason", finish_reason}};
}

void Completion::send(std::size_t index, std::string_view text, const OrderedJson& finish_reason) {
  OrderedJson chunk = head_.json();
  chunk["choices"] = OrderedJson::array({choice(index, text, finish_reason)});
  if (request_.streaming.include_usage) chunk["usage"] = nullptr;
  job_.exchange->send_event("", chunk);
}

void Completion::answer(std::size_t index) {
  const bool stream = request_.streaming.stream;
  if (stream && request_.echo) send(index, prompts_[index].text, nullptr);
  TextResult result = worker_.complete(job_, texts_[index], [&](std::string_view piece) {
    if (stream) send(index, piece, nullptr);
  });
  check_cancelled(job_, service_.metrics);
  service_.metrics.add_text(result);
  add_usage(usage_, result);
  const std::string reason = finish_reason(result.stop_reason);
  if (stream) return send(index, "", reason);
  OrderedJson json =
      choice(index, (request_.echo ? prompts_[index].text : "") + result.text, reason);
  if (request_.logprobs) {
    std::vector<TokenLogprob> tokens = std::move(result.prompt_logprobs);
    tokens.insert(tokens.end(), result.text_logprobs.begin(), result.text_logprobs.end());
    json["logprobs"] = completion_logprobs(worker_.model().tokenizer(), tokens);
  }
  choices_.push_back(std::move(json));
}

void Completion::run() {
  const bool stream = request_.streaming.stream;
  if (stream) job_.exchange->begin_events();
  for (std::size_t index = 0; index < texts_.size(); ++index)
    answer(index);
  OrderedJson json = head_.json();
  json["choices"] = std::move(choices_);
  json["usage"] = usage_.json();
  if (!stream) return job_.exchange->reply({.body = json_line(json)});
  if (request_.streaming.include_usage) job_.exchange->send_event("", json);
  job_.exchange->send_data("[DONE]");
  job_.exchange->end_events();
}

}  // namespace

void answer_completions(Service& service, Worker& worker, const Job& job, const Offer& offer,
                        const CompletionRequest& request) {
  Completion completion(service, worker, job, offer, request);
  completion.check();
  completion.run();
}

}  // namespace litestage::serve
