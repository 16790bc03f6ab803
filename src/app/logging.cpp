#include "app/logging.h"

#include <llama.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <string_view>

namespace litestage::app {
namespace {

spdlog::level::level_enum level_of(ggml_log_level level) {
  switch (level) {
    case GGML_LOG_LEVEL_ERROR:
      return spdlog::level::err;
    case GGML_LOG_LEVEL_WARN:
      return spdlog::level::warn;
    case GGML_LOG_LEVEL_DEBUG:
      return spdlog::level::debug;
    default:
      return spdlog::level::info;
  }
}

// ggml hands over pieces of lines; spdlog wants whole ones.
class LineCollector {
 public:
  void add(ggml_log_level level, std::string_view text) {
    if (level != GGML_LOG_LEVEL_CONT) level_ = level;
    for (const char character : text) {
      if (character != '\n') {
        line_ += character;
      } else if (!line_.empty()) {
        spdlog::log(level_of(level_), "{}", line_);
        line_.clear();
      }
    }
  }

 private:
  ggml_log_level level_ = GGML_LOG_LEVEL_INFO;
  std::string line_;
};

void collect(ggml_log_level level, const char* text, void* /*user_data*/) {
  thread_local LineCollector collector;
  if (spdlog::default_logger_raw()->should_log(spdlog::level::err)) collector.add(level, text);
}

}  // namespace

void set_up_logging(bool verbose) {
  auto logger = std::make_shared<spdlog::logger>(
      "litestage", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%^%l%$: %v");
  logger->set_level(verbose ? spdlog::level::debug : spdlog::level::off);
  spdlog::set_default_logger(std::move(logger));
  llama_log_set(collect, nullptr);  // sets ggml's too
}

}  // namespace litestage::app
