#include "serve/stage_answer.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text_file.h"
#include "eval/stage_json.h"
#include "serve/api_error.h"
#include "serve/chat_stream.h"
#include "serve/narrator.h"

namespace litestage::serve {
namespace {

using OrderedJson = nlohmann::ordered_json;

/// What a question's stages did: the `litestage` object of answers.
OrderedJson record_json(const Offer& offer, const QuestionRecord& record) {
  OrderedJson json;
  json["program"] = offer.program->name;
  json["plan"] = offer.plan ? OrderedJson(offer.id) : OrderedJson(nullptr);
  json["answer"] = text_or_null(record.answer);
  json["stages"] = OrderedJson::array();
  for (const StageRecord& stage : record.stages)
    json["stages"].push_back(stage_json(stage));
  json["total_ms"] = record.total_ms;
  return json;
}

Usage usage_of(const Program& program, const QuestionRecord& record) {
  Usage usage;
  for (const StageRecord& stage : record.stages) {
    usage.prompt += stage.prompt_tokens;
    usage.cached += stage.reused_tokens;
    usage.completion += stage.tokens;
    if (stage.name != program.answer_stage) usage.reasoning += stage.tokens;
  }
  return usage;
}

/// The stage whose text is the answer: the program's, or an early answer that was taken.
const StageRecord& answer_stage(const Program& program, const QuestionRecord& record) {
  if (record.stages.back().stop_reason == StopReason::sure) return record.stages.back();
  return *std::ranges::find(record.stages, program.answer_stage, &StageRecord::name);
}

Question last_question(const ChatRequest& request) {
  const auto last = std::find_if(request.messages.rbegin(), request.messages.rend(),
                                 [](const ChatMessage& message) { return message.role == "user"; });
  if (last == request.messages.rend())
    throw bad_request("invalid_value", "there is no user message to take the question from",
                      "messages");
  Question question = split_question(std::string(trimmed(last->content)));
  check_question(question, std::string(REQUEST_BODY) + ": messages");
  return question;
}

}  // namespace

void answer_chat_in_stages(Service& service, Worker& worker, const Job& job, const Offer& offer,
                           const ChatRequest& request) {
  const Program& program = *offer.program;
  const bool stream = request.streaming.stream;
  ChatStream chunks(*job.exchange, offer.id, request.streaming.include_usage);
  std::string reasoning;
  Narrator narrator(program, [&](Narrator::Part part, std::string_view text) {
    const bool thinks = part == Narrator::Part::reasoning;
    if (stream) {
      chunks.add(thinks ? "reasoning_content" : "content", text);
    } else if (thinks) {
      reasoning += text;
    }
  });
  const QuestionRecord record =
      worker.answer(job, {&program, offer.plan.get(), true}, last_question(request), narrator);
  check_cancelled(job, service.metrics);
  service.metrics.add_question(program.name, record);
  const StageRecord& answer = answer_stage(program, record);
  const Usage usage = usage_of(program, record);
  const std::string reason = finish_reason(answer.stop_reason);
  if (stream) return chunks.end(reason, usage, record_json(offer, record));
  OrderedJson json =
      AnswerHead{new_id("chatcmpl-"), "chat.completion", unix_now(), offer.id}.json();
  OrderedJson message = {{"role", "assistant"}, {"content", answer.text}};
  if (!reasoning.empty()) message["reasoning_content"] = reasoning;
  json["choices"] = OrderedJson::array({{{"index", 0},
                                         {"message", std::move(message)},
                                         {"logprobs", nullptr},
                                         {"finish_reason", reason}}});
  json["usage"] = usage.json();
  json["litestage"] = record_json(offer, record);
  job.exchange->reply({.body = json_line(json)});
}

namespace {

/// What ends a text early when the confidence falls; nothing where no confidence is watched.
OrderedJson exit_json(const ExitRule& rule) {
  OrderedJson json = {{"confidence", to_string(rule.confidence)}, {"window", rule.window}};
  json["threshold"] =
      rule.watches_confidence() ? OrderedJson(rule.threshold) : OrderedJson(nullptr);
  return json;
}

/// Tells what stages do as events of their own types.
class StageEvents : public PipelineListener {
 public:
  StageEvents(Exchange& exchange, const Arm& arm, const StagesRequest& request, int layers)
      : exchange_(exchange),
        arm_(arm.name),
        plan_(arm.offer->plan.get()),
        exit_rules_(request.exit_rules),
        confidence_(request.confidence),
        layers_(layers) {
    if (plan_ != nullptr && !plan_->stages.empty()) settings_ = plan_->stages.front().second;
  }

  void on_stage_begin(const std::string& stage, const std::vector<std::string>& options) override {
    // An early answer, which no plan names, is asked for as the stage before it was run, or as the
    // first one will be.
    const StageSettings* own = plan_ != nullptr ? plan_->find(stage) : nullptr;
    if (own != nullptr) settings_ = *own;
    StageSettings settings = settings_;
    if (own == nullptr || !exit_rules_) settings.exit = {};
    exchange_.send_event("stage_begin", {{"arm", arm_},
                                         {"stage", stage},
                                         {"options", options},
                                         {"layers", layers_},
                                         {"mask", settings.decode.to_string()},
                                         {"prefill_mask", settings.prefill.to_string()},
                                         {"exit", exit_json(settings.exit)}});
  }
  bool wants_confidence() const override { return confidence_; }
  void on_confidence(const std::string& stage, int branch, float value) override {
    exchange_.send_event("confidence",
                         {{"arm", arm_}, {"stage", stage}, {"branch", branch}, {"value", value}});
  }
  void on_text(const std::string& stage, int branch, std::string_view piece) override {
    exchange_.send_event("text",
                         {{"arm", arm_}, {"stage", stage}, {"branch", branch}, {"text", piece}});
  }
  void on_stage_end(const std::vector<StageRecord>& records) override {
    OrderedJson stages = OrderedJson::array();
    for (const StageRecord& record : records)
      stages.push_back(stage_json(record));
    exchange_.send_event(
        "stage_end", {{"arm", arm_}, {"stage", records[0].name}, {"records", std::move(stages)}});
  }

 private:
  Exchange& exchange_;
  std::string arm_;
  const Plan* plan_;        // null: the full model
  StageSettings settings_;  // of the last stage that the plan names
  bool exit_rules_;
  bool confidence_;
  int layers_;
};

std::string program_for(const ServedModel& served, const StagesRequest& request) {
  if (!request.program.empty()) return request.program;
  if (const Offer* offer = served.find(request.plan); offer != nullptr && offer->plan)
    return offer->program->name;
  std::string usual = usual_program(request.question);
  if (served.find(usual) != nullptr) return usual;
  const auto first = std::ranges::find_if(
      served.offers, [](const Offer& offer) { return offer.program != nullptr; });
  return first == served.offers.end() ? usual : first->id;
}

}  // namespace

std::vector<Arm> stage_arms(const ServedModel& served, const StagesRequest& request) {
  constexpr int NOT_FOUND = 404;
  const std::string program = program_for(served, request);
  std::vector<Arm> arms;
  if (request.mode != StagesMode::plan) arms.push_back({"full", served.find(program)});
  if (request.mode != StagesMode::full)
    arms.push_back({"plan", served.find_plan(program, request.plan)});
  for (const Arm& arm : arms) {
    if (arm.offer != nullptr && arm.offer->program) continue;
    throw ApiError(NOT_FOUND, "invalid_request_error", "model_not_found",
                   fmt::format("no {} is offered for that program; GET /v1/models lists what is",
                               arm.name == "plan" ? "such plan" : "full model"),
                   arm.name == "plan" ? "plan" : "program");
  }
  return arms;
}

void answer_stages(Service& service, Worker& worker, const Job& job, const std::vector<Arm>& arms,
                   const StagesRequest& request) {
  Exchange& exchange = *job.exchange;
  for (const Arm& arm : arms)
    worker.check({arm.offer->program.get(), arm.offer->plan.get(), request.exit_rules},
                 request.question);
  if (request.stream) exchange.begin_events();
  OrderedJson answers = OrderedJson::array();
  for (const Arm& arm : arms) {
    if (request.stream) {
      exchange.send_event("begin", {{"arm", arm.name},
                                    {"model", arm.offer->id},
                                    {"program", arm.offer->program->name},
                                    {"question", request.question.text},
                                    {"options", options_json(request.question.options)}});
    }
    StageEvents events(exchange, arm, request, worker.model().layer_count());
    PipelineListener nobody;
    const QuestionRecord record =
        worker.answer(job, {arm.offer->program.get(), arm.offer->plan.get(), request.exit_rules},
                      request.question, request.stream ? events : nobody);
    check_cancelled(job, service.metrics);
    service.metrics.add_question(arm.offer->program->name, record);
    OrderedJson answer = {{"arm", arm.name}};
    answer.update(record_json(*arm.offer, record));
    answer["usage"] = usage_of(*arm.offer->program, record).json();
    if (request.stream) {
      exchange.send_event("answer", answer);
    } else {
      answers.push_back(std::move(answer));
    }
  }
  if (!request.stream)
    return exchange.reply({.body = json_line({{"object", "stages"},
                                              {"created", unix_now()},
                                              {"question", request.question.text},
                                              {"options", options_json(request.question.options)},
                                              {"answers", std::move(answers)}})});
  exchange.send_data("[DONE]");
  exchange.end_events();
}

}  // namespace litestage::serve
