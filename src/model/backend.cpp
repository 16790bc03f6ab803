#include "model/backend.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <sched.h>

#include "base/huge_pages.h"
#include "litestage/decoder.h"
#include "litestage/error.h"
#include "model/panel_product.h"

namespace litestage {

ggml_backend_dev_t cpu_device() {
  ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (device == nullptr)
    throw UserError("ggml", "it has no CPU backend", "install its CPU library as well");
  return device;
}

std::vector<std::pair<std::string, std::string>> cpu_features() {
  std::vector<std::pair<std::string, std::string>> features;
  ggml_backend_reg_t backend = ggml_backend_dev_backend_reg(cpu_device());
  const auto get_features = reinterpret_cast<ggml_backend_get_features_t>(
      ggml_backend_reg_get_proc_address(backend, "ggml_backend_get_features"));
  if (get_features == nullptr) return features;
  for (const ggml_backend_feature* feature = get_features(backend); feature->name != nullptr;
       ++feature) {
    features.emplace_back(feature->name, feature->value);
  }
  if (cpu_prefers_panels()) features.emplace_back("PANELS", "1");
  return features;
}

ggml_backend_dev_t find_device(const std::string& name) {
  std::string known;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    const auto type = ggml_backend_dev_type(device);
    const bool is_gpu =
        type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
    if (name.empty() ? is_gpu : name == ggml_backend_dev_name(device)) return device;
    known += (known.empty() ? "" : ", ") + std::string(ggml_backend_dev_name(device));
  }
  if (name.empty())
    throw UserError("-ngl", "ggml finds no GPU", "leave it out; found are: " + known);
  throw UserError("--device", fmt::format("ggml finds no device \"{}\"", name),
                  "found are: " + known);
}

std::vector<ggml_backend_buffer_type_t> cpu_buffer_types(bool repack) {
  std::vector<ggml_backend_buffer_type_t> types;
  ggml_backend_dev_t device = cpu_device();
  if (repack) {
    const auto get =
        reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
            ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
    for (ggml_backend_buffer_type_t* type = get != nullptr ? get(device) : nullptr;
         type != nullptr && *type != nullptr; ++type) {
      types.push_back(*type);
    }
  }
  types.push_back(ggml_backend_dev_buffer_type(device));
  return types;
}

bool can_multiply(ggml_backend_buffer_type_t type, ggml_backend_dev_t device,
                  const ggml_tensor* weight) {
  // ggml is asked about an operation on tensors that need no memory: a copy of the weight's
  // description in an empty buffer of that type.
  const ggml_context_ptr context(
      ggml_init({.mem_size = ggml_tensor_overhead() * 4, .mem_buffer = nullptr, .no_alloc = true}));
  ggml_tensor* copy = ggml_new_tensor_2d(context.get(), weight->type, weight->ne[0], weight->ne[1]);
  const ggml_backend_buffer_ptr empty(ggml_backend_buft_alloc_buffer(type, 0));
  copy->buffer = empty.get();
  constexpr int ROWS = 512;
  ggml_tensor* input = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, weight->ne[0], ROWS);
  const ggml_tensor* product = ggml_mul_mat(context.get(), copy, input);
  return ggml_backend_dev_supports_op(device, product);
}

ggml_backend_buffer_type_t matrix_buffer_type(const std::vector<ggml_backend_buffer_type_t>& types,
                                              const ggml_tensor* weight) {
  for (ggml_backend_buffer_type_t type : types) {
    if (type != types.back() && can_multiply(type, cpu_device(), weight)) return type;
  }
  return types.back();
}

ggml_backend_buffer_ptr allocate_weights(ggml_context* context, ggml_backend_buffer_type_t type) {
  ggml_backend_buffer_ptr buffer(ggml_backend_alloc_ctx_tensors_from_buft(context, type));
  if (!buffer) return buffer;
  ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
  if (ggml_backend_buft_get_device(type) == cpu_device()) {
    prefer_huge_pages(ggml_backend_buffer_get_base(buffer.get()),
                      ggml_backend_buffer_get_size(buffer.get()));
  }
  return buffer;
}

int default_thread_count() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
  // Hyper-threads of one core share its arithmetic units: one thread a core is fastest.
  std::set<std::pair<int, int>> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string folder = fmt::format("/sys/devices/system/cpu/cpu{}/topology/", cpu);
    int core = cpu;
    int package = 0;
    std::ifstream(folder + "core_id") >> core;
    std::ifstream(folder + "physical_package_id") >> package;
    cores.emplace(package, core);
  }
  return std::max(1, static_cast<int>(cores.size()));
}

}  // namespace litestage
