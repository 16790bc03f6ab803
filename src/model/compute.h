#pragma once

#include <functional>
#include <vector>

#include <ggml-cpp.h>

#include "litestage/model.h"
#include "model/decoder_graph.h"

namespace litestage {

/// Runs graphs on the CPU and, where weights live there, on a device; keeps the last graph for
/// reuse.
class Compute {
 public:
  Compute(const Model& model, int threads);

  /// The graph for a shape: the last one when the shape is the same, else a new one.
  /// @throws UserError when there is no memory for its intermediate values
  DecoderGraph& prepare(const GraphContext& context, const GraphShape& shape);

  /// Runs the prepared graph, whose inputs are set. False when it was interrupted.
  bool run();

  /// Runs another graph, once; the prepared one is gone then. False when it was interrupted.
  /// @param set_inputs called when the inputs have their memory
  /// @throws UserError when memory fails
  bool run_once(ggml_cgraph* graph, const std::function<void()>& set_inputs);

  void set_interrupt(std::function<bool()> interrupt);
  Decoder::GraphStatistics statistics() const { return statistics_; }

 private:
  static bool should_abort(void* self);
  bool compute(ggml_cgraph* graph);
  [[noreturn]] static void fail();

  std::vector<ggml_backend_ptr> backends_;  // device first, CPU last
  ggml_backend_sched_ptr scheduler_;
  std::size_t max_nodes_ = 0;
  DecoderGraph graph_;
  Decoder::GraphStatistics statistics_;
  std::function<bool()> interrupt_;
};

}  // namespace litestage
