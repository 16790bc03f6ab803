#include "model/compute.h"

#include <utility>

#include <ggml-cpu.h>

#include "litestage/error.h"
#include "model/backend.h"
#include "model/model_config.h"
#include "model/model_weights.h"

namespace litestage {

Compute::Compute(const Model& model, int threads) {
  const auto start = [&](ggml_backend_dev_t device) {
    backends_.emplace_back(ggml_backend_dev_init(device, nullptr));
    if (!backends_.back()) {
      throw UserError("--device", std::string("the device ") + ggml_backend_dev_name(device) +
                                      " does not start");
    }
  };
  if (model.weights().device != nullptr) start(model.weights().device);
  start(cpu_device());
  ggml_backend_cpu_set_n_threads(backends_.back().get(), threads);

  constexpr std::size_t TAPS = std::size_t{4} * MAX_LAYERS;
  max_nodes_ = max_graph_nodes(model.config(), TAPS);
  std::vector<ggml_backend_t> backends;
  std::vector<ggml_backend_buffer_type_t> types;
  for (const ggml_backend_ptr& backend : backends_) {
    backends.push_back(backend.get());
    types.push_back(ggml_backend_get_default_buffer_type(backend.get()));
  }
  // Twice: the scheduler's table has to hold a graph's leaves beside its nodes.
  scheduler_.reset(ggml_backend_sched_new(backends.data(), types.data(),
                                          static_cast<int>(backends.size()), 2 * max_nodes_, false,
                                          true));
}

void Compute::set_interrupt(std::function<bool()> interrupt) {
  interrupt_ = std::move(interrupt);
  ggml_backend_cpu_set_abort_callback(backends_.back().get(), interrupt_ ? should_abort : nullptr,
                                      this);
}

bool Compute::should_abort(void* self) {
  return static_cast<Compute*>(self)->interrupt_();
}

DecoderGraph& Compute::prepare(const GraphContext& context, const GraphShape& shape) {
  if (graph_.graph != nullptr && graph_.shape == shape) {
    ++statistics_.reused;
    return graph_;
  }
  // ggml takes over the plan of the graph before when both have equally many nodes and leaves, and
  // does not look whether a leaf is now another one: plan anew. A scheduler may rewrite the graph
  // it plans with, so that one is built for it alone.
  const DecoderGraph plan = build_decoder_graph(context, shape);
  ggml_backend_sched_reset(scheduler_.get());
  const bool planned = ggml_backend_sched_reserve(scheduler_.get(), plan.graph);
  graph_ = build_decoder_graph(context, shape);
  ++statistics_.built;
  statistics_.nodes = ggml_graph_n_nodes(graph_.graph);
  if (!planned || !ggml_backend_sched_alloc_graph(scheduler_.get(), graph_.graph)) {
    graph_ = {};
    throw UserError("-ub", "there is no memory for a batch of this size", "use a smaller one");
  }
  return graph_;
}

bool Compute::run_once(ggml_cgraph* graph, const std::function<void()>& set_inputs) {
  graph_ = {};
  ggml_backend_sched_reset(scheduler_.get());
  if (!ggml_backend_sched_alloc_graph(scheduler_.get(), graph)) fail();
  set_inputs();
  return compute(graph);
}

bool Compute::run() {
  return compute(graph_.graph);
}

bool Compute::compute(ggml_cgraph* graph) {
  const ggml_status status = ggml_backend_sched_graph_compute(scheduler_.get(), graph);
  if (status == GGML_STATUS_SUCCESS) return true;
  if (status == GGML_STATUS_ABORTED) return false;
  fail();
}

void Compute::fail() {
  throw UserError("ggml", "a computation failed for lack of memory",
                  "use a smaller batch or context");
}

}  // namespace litestage
