#include "serve/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace litestage::serve {
namespace {

constexpr double MS_PER_SECOND = 1000;

template <typename Builder>
auto& family(Builder builder, prometheus::Registry& registry, const char* name, const char* help) {
  return builder.Name(name).Help(help).Register(registry);
}

prometheus::Histogram::BucketBoundaries second_buckets() {
  return {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100};
}

const char* name_of(Cancellation why) {
  switch (why) {
    case Cancellation::disconnected:
      return "disconnected";
    case Cancellation::deadline:
      return "deadline";
    case Cancellation::shutdown:
      return "shutdown";
    case Cancellation::none:
      break;
  }
  return "none";
}

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      family(prometheus::BuildCounter(), registry, "litestage_requests_total",
             "Requests by route and status of the answer");
  prometheus::Family<prometheus::Counter>& cancelled =
      family(prometheus::BuildCounter(), registry, "litestage_cancelled_total",
             "Answers that were given up, by cause");
  prometheus::Family<prometheus::Counter>& tokens =
      family(prometheus::BuildCounter(), registry, "litestage_tokens_total",
             "Tokens read, found in the KV cache, and written");
  prometheus::Family<prometheus::Histogram>& stage_seconds =
      family(prometheus::BuildHistogram(), registry, "litestage_stage_seconds",
             "Seconds that a stage took, its branches together; the bare model's texts too");
  prometheus::Family<prometheus::Histogram>& question_seconds =
      family(prometheus::BuildHistogram(), registry, "litestage_question_seconds",
             "Seconds from a question's first stage to its answer");
  prometheus::Family<prometheus::Gauge>& load =
      family(prometheus::BuildGauge(), registry, "litestage_requests",
             "Requests that wait for a worker, and that are worked on");
  prometheus::Gauge& queued = load.Add({{"state", "queued"}});
  prometheus::Gauge& running = load.Add({{"state", "running"}});
  prometheus::Gauge& connections =
      family(prometheus::BuildGauge(), registry, "litestage_connections", "Open connections")
          .Add({});
  prometheus::Gauge& ready = family(prometheus::BuildGauge(), registry, "litestage_model_ready",
                                    "1 when the model is loaded")
                                 .Add({});

  prometheus::Counter& batches = family(prometheus::BuildCounter(), registry,
                                        "litestage_batches_total", "Batches that were computed")
                                     .Add({});
  prometheus::Counter& calls =
      family(prometheus::BuildCounter(), registry, "litestage_batched_calls_total",
             "Calls of requests that were computed in those batches")
          .Add({});

  void add_tokens(int read, int reused, int written) {
    tokens.Add({{"kind", "read"}}).Increment(read);
    tokens.Add({{"kind", "reused"}}).Increment(reused);
    tokens.Add({{"kind", "written"}}).Increment(written);
  }

  void add_stage(const std::string& program, const std::string& stage, double prefill_ms,
                 double decode_ms) {
    for (const auto& [phase, ms] : {std::pair{"read", prefill_ms}, std::pair{"write", decode_ms}}) {
      stage_seconds
          .Add({{"program", program}, {"stage", stage}, {"phase", phase}}, second_buckets())
          .Observe(ms / MS_PER_SECOND);
    }
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::count_request(const std::string& route, int status) {
  impl_->requests.Add({{"route", route}, {"code", std::to_string(status)}}).Increment();
}

void Metrics::count_cancelled(Cancellation why) {
  impl_->cancelled.Add({{"cause", name_of(why)}}).Increment();
}

void Metrics::add_question(const std::string& program, const QuestionRecord& record) {
  for (std::size_t i = 0; i < record.stages.size();) {
    const std::string& stage = record.stages[i].name;
    double prefill_ms = 0;
    double decode_ms = 0;
    for (; i < record.stages.size() && record.stages[i].name == stage; ++i) {
      const StageRecord& branch = record.stages[i];
      prefill_ms += branch.prefill_ms;
      decode_ms += branch.decode_ms;
      impl_->add_tokens(branch.prompt_tokens - branch.reused_tokens, branch.reused_tokens,
                        branch.tokens);
    }
    impl_->add_stage(program, stage, prefill_ms, decode_ms);
  }
  impl_->question_seconds.Add({{"program", program}}, second_buckets())
      .Observe(record.total_ms / MS_PER_SECOND);
}

void Metrics::add_text(const TextResult& result) {
  impl_->add_tokens(result.prompt_tokens - result.reused_tokens, result.reused_tokens,
                    result.tokens);
  impl_->add_stage("", "text", result.prefill_ms, result.decode_ms);
}

std::string Metrics::text(const Gauges& gauges) const {
  impl_->queued.Set(gauges.queued);
  impl_->running.Set(gauges.running);
  impl_->connections.Set(gauges.connections);
  impl_->ready.Set(gauges.ready ? 1 : 0);
  impl_->batches.Increment(gauges.batches - impl_->batches.Value());
  impl_->calls.Increment(gauges.calls - impl_->calls.Value());
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace litestage::serve
