#include "app/doctor_examine.h"

#include <fmt/format.h>
#include <ggml-backend.h>
#include <ggml.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <thread>

#include "app/memory_bandwidth.h"
#include "app/system_memory.h"
#include "litestage/decoder.h"
#include "litestage/model_store.h"
#include "model/backend.h"

namespace litestage::app {
namespace {

constexpr std::size_t MEBI = std::size_t{1} << 20;
// A small model, its KV cache and the system fit into this.
constexpr std::size_t LITTLE_MEMORY = 1024 * MEBI;
constexpr std::size_t LITTLE_DISK = 2048 * MEBI;

// The value behind "key:" in a file of such lines (/proc), or nothing.
std::string proc_value(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (!line.starts_with(key) || colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

std::string kind_name(enum ggml_backend_dev_type type) {
  switch (type) {
    case GGML_BACKEND_DEVICE_TYPE_CPU:
      return "CPU";
    case GGML_BACKEND_DEVICE_TYPE_GPU:
      return "GPU";
    case GGML_BACKEND_DEVICE_TYPE_IGPU:
      return "integrated GPU";
    case GGML_BACKEND_DEVICE_TYPE_ACCEL:
      return "accelerator";
    default:
      return "combined";
  }
}

void list_backends(DoctorReport& report) {
  ggml_backend_load_all();  // those that are libraries of their own
  for (std::size_t i = 0; i < ggml_backend_reg_count(); ++i) {
    report.backends.emplace_back(ggml_backend_reg_name(ggml_backend_reg_get(i)));
  }
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    DeviceReport each{ggml_backend_dev_name(device),
                      ggml_backend_reg_name(ggml_backend_dev_backend_reg(device)),
                      kind_name(ggml_backend_dev_type(device)),
                      ggml_backend_dev_description(device),
                      0,
                      0};
    ggml_backend_dev_memory(device, &each.free_bytes, &each.memory_bytes);
    report.devices.push_back(std::move(each));
  }
}

void list_features(DoctorReport& report) {
  report.cpu = ggml_backend_dev_description(cpu_device());
  report.features = cpu_features();
}

void examine_memory(DoctorReport& report) {
  report.memory_bytes = total_memory().value_or(0);
  report.available_bytes = available_memory().value_or(0);
  if (report.memory_bytes > 0) return;
  for (const DeviceReport& device : report.devices) {
    if (device.kind == "CPU") report.memory_bytes = device.memory_bytes;
  }
}

void list_folders(DoctorReport& report) {
  report.models_folder = models_folder().string();
  for (const char* variable :
       {"LITESTAGE_CACHE", "XDG_CACHE_HOME", "LLAMA_CACHE", "HF_HUB_CACHE", "HF_HOME"}) {
    if (const char* value = std::getenv(variable))
      report.cache_variables.emplace_back(variable, value);
  }
}

bool has_feature(const DoctorReport& report, std::string_view name) {
  return std::ranges::any_of(report.features, [&](const auto& feature) {
    return feature.first == name && feature.second != "0";
  });
}

// CPU instructions that this machine has and ggml was built without.
void hint_features(DoctorReport& report) {
  const std::string flags = " " + proc_value("/proc/cpuinfo", "flags") + " ";
  struct Instruction {
    const char* flag;
    const char* feature;
  };
  static constexpr std::array INSTRUCTIONS{
      Instruction{" avx2 ", "AVX2"}, Instruction{" fma ", "FMA"}, Instruction{" f16c ", "F16C"},
      Instruction{" avx512f ", "AVX512"}, Instruction{" amx_int8 ", "AMX_INT8"}};
  for (const auto& [flag, feature] : INSTRUCTIONS) {
    if (flags.find(flag) == std::string::npos || has_feature(report, feature)) continue;
    report.hints.push_back(fmt::format(
        "ggml was built without {}, which this CPU has: building ggml on this machine with "
        "GGML_NATIVE=ON makes it faster",
        feature));
  }
#ifndef __OPTIMIZE__
  report.hints.emplace_back("litestage was built without optimisation: build the release preset");
#endif
}

// CPU time that a container may use, in cores.
std::optional<double> cpu_quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return std::nullopt;
  return std::strtod(quota.c_str(), nullptr) / period;
}

void hint_cores(DoctorReport& report) {
  for (const char* variable : {"LITESTAGE_THREADS", "OMP_NUM_THREADS"}) {
    const char* value = std::getenv(variable);
    if (value == nullptr || std::atoi(value) <= report.physical_cores) continue;
    report.hints.push_back(
        fmt::format("{}={} asks for more threads than the {} physical cores: they wait for each "
                    "other, unset it",
                    variable, value, report.physical_cores));
  }
  const auto quota = cpu_quota();
  if (quota && *quota < report.physical_cores) {
    report.hints.push_back(
        fmt::format("this container may use {:.1f} cores' time but sees {} cores: set "
                    "LITESTAGE_THREADS={:.0f}",
                    *quota, report.physical_cores, std::max(1.0, *quota)));
  }
  std::array<double, 1> load{};
  if (getloadavg(load.data(), 1) == 1 && load[0] > 0.5 * report.physical_cores) {
    report.hints.push_back(fmt::format(
        "other programs are using the CPU (load {:.1f}): measurements will be off", load[0]));
  }
}

void hint_memory(DoctorReport& report) {
  if (report.available_bytes > 0 && report.available_bytes < LITTLE_MEMORY) {
    report.hints.push_back(
        fmt::format("only {} MiB of memory are free: take a small model, and a small --ctx-size",
                    report.available_bytes / MEBI));
  }
  std::ifstream huge_pages("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string choices;
  if (std::getline(huge_pages, choices) && choices.find("[never]") != std::string::npos) {
    report.hints.emplace_back(
        "the system gives no huge pages, with which large models write faster: 'echo madvise | "
        "sudo tee /sys/kernel/mm/transparent_hugepage/enabled' lets programs ask for them");
  }
  std::filesystem::path folder = report.models_folder;
  std::error_code error;
  while (!folder.empty() && !std::filesystem::exists(folder, error)) {
    if (folder == folder.parent_path()) return;
    folder = folder.parent_path();
  }
  const auto space = std::filesystem::space(folder, error);
  if (!error && space.available < LITTLE_DISK) {
    report.hints.push_back(fmt::format("only {} MiB are free where models are kept ({})",
                                       space.available / MEBI, report.models_folder));
  }
}

}  // namespace

DoctorReport examine_machine() {
  DoctorReport report;
  report.litestage_version = LITESTAGE_VERSION;
  report.ggml_version = ggml_version();
  report.llama_version = llama_version();
  report.physical_cores = default_thread_count();
  report.logical_cores = static_cast<int>(std::thread::hardware_concurrency());
  list_backends(report);
  list_features(report);
  examine_memory(report);
  list_folders(report);
  hint_cores(report);  // before the bandwidth is measured, which keeps the CPU busy itself
  hint_features(report);
  hint_memory(report);
  report.memory_bandwidth = measure_memory_bandwidth(report.physical_cores);
  return report;
}

}  // namespace litestage::app
