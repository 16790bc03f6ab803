#pragma once

#include "serve/service.h"

namespace litestage::serve {

/// Answers a chat with the bare model, in its own template.
void answer_chat(Service& service, Worker& worker, const Job& job, const Offer& offer,
                 const ChatRequest& request);

/// POST /v1/completions: goes on from one prompt or several.
void answer_completions(Service& service, Worker& worker, const Job& job, const Offer& offer,
                        const CompletionRequest& request);

}  // namespace litestage::serve
