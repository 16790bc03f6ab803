#pragma once

#include <string>
#include <utility>
#include <vector>

#include <ggml-cpp.h>

namespace litestage {

/// The CPU device; ggml always has one. @throws UserError when its libraries are not installed
/// properly
ggml_backend_dev_t cpu_device();

/// What ggml's CPU code was built with and uses here, as ggml names it: ("AVX2", "1"), ... And
/// ("PANELS", "1") where quantised weights lie in panels for our own products (panel_product.h).
std::vector<std::pair<std::string, std::string>> cpu_features();

/// The device by the name `litestage doctor` lists, or the first GPU when the name is empty.
/// @throws UserError when there is no such device
ggml_backend_dev_t find_device(const std::string& name);

/// Buffer types a CPU weight may live in, best first: the repacked ones, then the plain one.
std::vector<ggml_backend_buffer_type_t> cpu_buffer_types(bool repack);

/// The best of these buffer types for a matrix that is multiplied from the left on the CPU.
/// @param types as cpu_buffer_types gives them
ggml_backend_buffer_type_t matrix_buffer_type(const std::vector<ggml_backend_buffer_type_t>& types,
                                              const ggml_tensor* weight);

/// Whether a matrix in this buffer type can be multiplied from the left on its device.
bool can_multiply(ggml_backend_buffer_type_t type, ggml_backend_dev_t device,
                  const ggml_tensor* weight);

/// Memory for the weights a context describes, in huge pages where the system has them.
/// @returns null when there is not enough of it
ggml_backend_buffer_ptr allocate_weights(ggml_context* context, ggml_backend_buffer_type_t type);

}  // namespace litestage
