#pragma once

#include <functional>
#include <memory>
#include <string>

#include "litestage/pipeline.h"
#include "serve/exchange.h"
#include "serve/text_request.h"

namespace litestage::serve {

/// What the server counts, for Prometheus. Safe for use by several threads.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// An answer has begun.
  /// @param route as the table of routes has it: few different ones
  void count_request(const std::string& route, int status);
  void count_cancelled(Cancellation why);
  /// A question was answered.
  void add_question(const std::string& program, const QuestionRecord& record);
  /// The bare model wrote a text.
  void add_text(const TextResult& result);

  /// Numbers that are looked at when they are asked for.
  struct Gauges {
    double queued = 0;
    double running = 0;
    double connections = 0;
    bool ready = false;  ///< the model is loaded
    double batches = 0;  ///< computed so far
    double calls = 0;    ///< of requests, in those batches
  };
  /// Everything in Prometheus' text format; for one thread at a time.
  std::string text(const Gauges& gauges) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace litestage::serve
