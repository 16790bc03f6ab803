#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace litestage::app {

/// One device that ggml can compute on.
struct DeviceReport {
  std::string name;     ///< what --device takes
  std::string backend;  ///< the ggml backend it belongs to
  std::string kind;     ///< "CPU", "GPU", "integrated GPU", "accelerator" or "combined"
  std::string description;
  std::size_t memory_bytes = 0;  ///< 0: not known
  std::size_t free_bytes = 0;
};

/// What `litestage doctor` says about this machine and this build.
struct DoctorReport {
  std::string litestage_version;
  std::string ggml_version;
  std::string llama_version;
  std::string cpu;
  int physical_cores = 0;  ///< that this process may use: the default of --threads
  int logical_cores = 0;
  std::vector<std::pair<std::string, std::string>> features;  ///< of ggml's CPU code: name, value
  std::size_t memory_bytes = 0;
  std::size_t available_bytes = 0;  ///< 0: not known
  double memory_bandwidth = 0;      ///< bytes a second, all physical cores together
  std::vector<std::string> backends;
  std::vector<DeviceReport> devices;
  std::string models_folder;
  std::vector<std::pair<std::string, std::string>> cache_variables;  ///< set ones: name, folder
  std::vector<std::string> hints;  ///< what is off, and how to mend it; one sentence each
};

/// For people.
std::string format_text(const DoctorReport& report);
/// For programs: one object with the same facts; docs/cli.md lists the keys.
std::string format_json(const DoctorReport& report);

}  // namespace litestage::app
