#include "app/doctor_tune.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/bench_litestage.h"
#include "app/bench_workload.h"
#include "app/progress.h"
#include "base/statistics.h"

namespace litestage::app {
namespace {

constexpr int PROMPT = 512;  // the largest batch that is tried
constexpr int GENERATED = 16;
constexpr int ROOM = 1024;

/// Powers of two up to the physical cores, those themselves, and all logical ones.
std::vector<int> thread_counts() {
  const int cores = default_thread_count();
  std::vector<int> counts;
  for (int count = 1; count < cores; count *= 2)
    counts.push_back(count);
  counts.push_back(cores);
  const auto logical = static_cast<int>(std::thread::hardware_concurrency());
  if (logical > cores) counts.push_back(logical);
  return counts;
}

class Tuning {
 public:
  explicit Tuning(const TuneSettings& settings)
      : settings_(settings), path_(find_model(settings.model)) {
    bar_.show("loading", 0, 0, "steps");
    model_ = Model::load(path_, settings.model.options);
  }

  TuneReport run() {
    TuneReport report;
    report.model = path_.filename().string();
    DecoderOptions options;
    options.context = std::min(ROOM, model_->trained_context());
    const int prompt = std::min(PROMPT, options.context / 2);

    const std::vector<int> threads = thread_counts();
    std::vector<DecoderOptions> variants(threads.size(), options);
    for (std::size_t i = 0; i < threads.size(); ++i)
      variants[i].threads = threads[i];
    bar_.show("threads", 0, 2, "tests");
    const auto decode = seconds(variants, {.generate = GENERATED, .depth = prompt / 2});
    bar_.show("threads", 1, 2, "tests");
    const auto prefill = seconds(variants, {.prompt = prompt});
    for (std::size_t i = 0; i < threads.size(); ++i)
      report.threads.push_back({threads[i], GENERATED / percentile(decode[i], HALF),
                                prompt / percentile(prefill[i], HALF)});
    report.chosen_threads = threads[first_fast(decode)];

    const std::vector<int> sizes = {64, 128, 256, 512};
    options.threads = report.chosen_threads;
    variants.assign(sizes.size(), options);
    for (std::size_t i = 0; i < sizes.size(); ++i)
      variants[i].ubatch = sizes[i];
    bar_.show("tokens at once", 0, 1, "tests");
    const auto by_size = seconds(variants, {.prompt = prompt});
    for (std::size_t i = 0; i < sizes.size(); ++i)
      report.ubatch.push_back({sizes[i], 0, prompt / percentile(by_size[i], HALF)});
    report.chosen_ubatch = sizes[first_fast(by_size)];
    return report;
  }

 private:
  static constexpr double HALF = 50;  // per cent: the median

  std::vector<std::vector<double>> seconds(const std::vector<DecoderOptions>& variants,
                                           const BenchTest& test) const {
    std::vector<std::unique_ptr<BenchEngine>> engines;
    std::vector<BenchEngine*> pointers;
    for (const DecoderOptions& options : variants) {
      engines.push_back(
          make_litestage_engine(std::make_shared<Decoder>(model_, options), SublayerMask{}));
      pointers.push_back(engines.back().get());
      warm_up(*engines.back(), test, model_->vocabulary_size());
    }
    return run_interleaved(pointers, test, model_->vocabulary_size(), settings_.repetitions);
  }

  const TuneSettings& settings_;
  std::filesystem::path path_;
  std::shared_ptr<const Model> model_;
  ProgressBar bar_;
};

}  // namespace

std::size_t first_fast(const std::vector<std::vector<double>>& seconds) {
  assert(!seconds.empty());
  const auto fastest = std::ranges::min_element(
      seconds, {}, [](const std::vector<double>& each) { return mean(each); });
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    if (paired_ratio(seconds[i], *fastest).low <= 1) return i;
  }
  return static_cast<std::size_t>(fastest - seconds.begin());
}

TuneReport measure_tuning(const TuneSettings& settings) {
  return Tuning(settings).run();
}

std::string format_tuning(const TuneReport& report) {
  const auto mark = [](bool chosen) { return chosen ? " *" : ""; };
  std::string text = fmt::format("{}\n\nthreads    decode t/s   prefill t/s\n", report.model);
  for (const TunedValue& row : report.threads)
    text += fmt::format("{:>7} {:>13.1f} {:>13.1f}{}\n", row.value, row.decode, row.prefill,
                        mark(row.value == report.chosen_threads));
  text += "\nubatch                  prefill t/s\n";
  for (const TunedValue& row : report.ubatch)
    text += fmt::format("{:>7} {:>13} {:>13.1f}{}\n", row.value, "", row.prefill,
                        mark(row.value == report.chosen_ubatch));
  text += fmt::format(
      "\n* the least that is not measurably slower than the fastest. To use them:\n"
      "  export LITESTAGE_THREADS={} LITESTAGE_UBATCH={}\n",
      report.chosen_threads, report.chosen_ubatch);
  return text;
}

std::string tuning_json(const TuneReport& report) {
  nlohmann::ordered_json json = {{"model", report.model},
                                 {"threads", nlohmann::ordered_json::array()},
                                 {"ubatch", nlohmann::ordered_json::array()}};
  for (const TunedValue& row : report.threads) {
    json["threads"].push_back({{"threads", row.value},
                               {"decode_tokens_per_second", row.decode},
                               {"prefill_tokens_per_second", row.prefill}});
  }
  for (const TunedValue& row : report.ubatch)
    json["ubatch"].push_back({{"ubatch", row.value}, {"prefill_tokens_per_second", row.prefill}});
  json["chosen_threads"] = report.chosen_threads;
  json["chosen_ubatch"] = report.chosen_ubatch;
  return json.dump() + "\n";
}

}  // namespace litestage::app
