#pragma once

#include <functional>
#include <string>

#include "serve/engine.h"
#include "serve/metrics.h"
#include "serve/request_fields.h"
#include "serve/worker.h"

namespace litestage::serve {

/// What the answers of all routes share.
struct Service {
  Engine& engine;
  Metrics& metrics;
  RequestLimits limits;
};

/// Tokens as OpenAI counts them.
struct Usage {
  int prompt = 0;
  int cached = 0;  ///< of the prompt: found in the KV cache
  int completion = 0;
  int reasoning = 0;  ///< of the completion: stages before the answer

  nlohmann::ordered_json json() const;
};

/// "chatcmpl-" and 24 random characters.
std::string new_id(const std::string& prefix);
/// Seconds since 1970.
std::int64_t unix_now();
/// "length" when a limit ended the text, else "stop"
std::string finish_reason(StopReason reason);

/// @throws ApiError (404) when nothing is offered by that name; "" is the bare model
const Offer& find_offer(const ServedModel& served, const std::string& id);

/// Refuses text that cannot fit a context, before it costs the time to encode it.
/// @throws ApiError context_length_exceeded
void check_size(std::size_t bytes, int context);

/// How many tokens may be written behind a prompt: what was asked for, as far as it fits.
/// @param asked 0 or more
/// @throws ApiError context_length_exceeded when the prompt does not fit, or not one token behind
/// it
int room_for_text(std::size_t prompt_tokens, int asked, int context);

/// Counts a cancelled job and throws what its client is told; does nothing for others.
void check_cancelled(const Job& job, Metrics& metrics);

}  // namespace litestage::serve
