#include "app/doctor_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

namespace litestage::app {
namespace {

std::string gibibytes(std::size_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1024.0 * 1024.0 * 1024.0));
}

std::string feature_words(const DoctorReport& report) {
  std::vector<std::string> words;
  for (const auto& [name, value] : report.features) {
    words.push_back(value == "1" ? name : name + "=" + value);
  }
  return fmt::format("{}", fmt::join(words, " "));
}

}  // namespace

std::string format_text(const DoctorReport& report) {
  std::string text;
  const auto line = [&text](std::string_view title, const std::string& value) {
    text += fmt::format("{:<16}{}\n", title, value);
  };
  line("litestage", report.litestage_version);
  line("ggml", report.ggml_version);
  line("llama", report.llama_version);
  line("CPU", report.cpu);
  line("cores",
       fmt::format("{} physical, {} logical", report.physical_cores, report.logical_cores));
  line("CPU features", feature_words(report));
  line("memory", report.available_bytes > 0
                     ? fmt::format("{}, {} available", gibibytes(report.memory_bytes),
                                   gibibytes(report.available_bytes))
                     : gibibytes(report.memory_bytes));
  line("streaming", fmt::format("{:.1f} GB/s read by {} threads", report.memory_bandwidth / 1e9,
                                report.physical_cores));
  line("backends", fmt::format("{}", fmt::join(report.backends, ", ")));
  for (const DeviceReport& device : report.devices) {
    const std::string memory = device.memory_bytes > 0 ? ", " + gibibytes(device.memory_bytes) : "";
    line("device",
         fmt::format("{} ({}, {}{})", device.name, device.kind, device.description, memory));
  }
  line("models", report.models_folder);
  for (const auto& [variable, folder] : report.cache_variables)
    line(variable, folder);
  for (const std::string& hint : report.hints)
    line("hint", hint);
  if (report.hints.empty()) line("hint", "none: everything looks right");
  return text;
}

std::string format_json(const DoctorReport& report) {
  nlohmann::ordered_json json;
  json["litestage_version"] = report.litestage_version;
  json["ggml_version"] = report.ggml_version;
  json["llama_version"] = report.llama_version;
  json["cpu"] = report.cpu;
  json["physical_cores"] = report.physical_cores;
  json["logical_cores"] = report.logical_cores;
  json["cpu_features"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : report.features)
    json["cpu_features"][name] = value;
  json["memory_bytes"] = report.memory_bytes;
  json["available_bytes"] = report.available_bytes;
  json["memory_gigabytes_per_second"] = report.memory_bandwidth / 1e9;
  json["backends"] = report.backends;
  json["devices"] = nlohmann::ordered_json::array();
  for (const DeviceReport& device : report.devices) {
    json["devices"].push_back({{"name", device.name},
                               {"backend", device.backend},
                               {"kind", device.kind},
                               {"description", device.description},
                               {"memory_bytes", device.memory_bytes},
                               {"free_bytes", device.free_bytes}});
  }
  json["models_folder"] = report.models_folder;
  json["caches"] = nlohmann::ordered_json::object();
  for (const auto& [variable, folder] : report.cache_variables)
    json["caches"][variable] = folder;
  json["hints"] = report.hints;
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace litestage::app
