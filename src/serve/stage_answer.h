#pragma once

#include <string>
#include <vector>

#include "serve/service.h"

namespace litestage::serve {

/// Answers a chat with a program: its last user message is the question. What the answer's stage
/// writes is the content, what comes before it the reasoning.
void answer_chat_in_stages(Service& service, Worker& worker, const Job& job, const Offer& offer,
                           const ChatRequest& request);

/// One way to answer, and its name in the answer: "full" or "plan".
struct Arm {
  std::string name;
  const Offer* offer;
};

/// The ways that a request wants, in order.
/// @throws ApiError (404) when there is no such program or plan
std::vector<Arm> stage_arms(const ServedModel& served, const StagesRequest& request);

/// POST /v1/stages: a question answered in one way or two, with all that its stages did.
void answer_stages(Service& service, Worker& worker, const Job& job, const std::vector<Arm>& arms,
                   const StagesRequest& request);

}  // namespace litestage::serve
