#include "app/bench_run.h"

#include <fmt/format.h>
#include <llama.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

#include "app/bench_exit.h"
#include "app/bench_libllama.h"
#include "app/bench_litestage.h"
#include "app/memory_bandwidth.h"
#include "litestage/error.h"
#include "model/gguf_file.h"

namespace litestage::app {
namespace {

// Batches of sequences are about sharing a prefix, so they have one even when no depth is asked
// for.
constexpr int BATCH_DEPTH = 128;
// The peak of memory is looked at after this: a long prompt, and some tokens.
constexpr BenchTest MEMORY_TEST{.prompt = 512, .generate = 8};
constexpr int FLASH_TRIAL_STEPS = 32;
constexpr int FLASH_TRIALS = 2;

// What the report says of the file, and what masks need, without loading it.
struct FileFacts {
  explicit FileFacts(const std::filesystem::path& path) {
    const GgufFile file(path);
    architecture = file.text("general.architecture");
    layers = static_cast<int>(file.integer(architecture + ".block_count", 1, MAX_LAYERS));
    if (file.has("general.file_type")) {
      quantisation = llama_ftype_name(
          static_cast<llama_ftype>(file.integer("general.file_type", 0, LLAMA_FTYPE_GUESSED - 1)));
    }
    const std::int64_t count = gguf_get_n_tensors(file.header());
    for (std::int64_t id = 0; id < count; ++id) {
      const ggml_type type = gguf_get_tensor_type(file.header(), id);
      const auto blocks = gguf_get_tensor_size(file.header(), id) / ggml_type_size(type);
      parameters += static_cast<std::int64_t>(blocks) * ggml_blck_size(type);
    }
  }

  std::string description() const {
    const double millions = static_cast<double>(parameters) / 1e6;
    const std::string size = millions < 1000 ? fmt::format("{:.0f}M", millions)
                                             : fmt::format("{:.1f}B", millions / 1000);
    const std::string name = architecture + " " + size;
    return quantisation.empty() ? name : name + " " + quantisation;
  }

  std::string architecture;
  int layers = 0;
  std::string quantisation;
  std::int64_t parameters = 0;
};

// One line on a terminal that the next one replaces; nothing elsewhere.
class Progress {
 public:
  ~Progress() { show(""); }
  void show(const std::string& text) const {
    if (terminal_) std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
  }

 private:
  bool terminal_ = isatty(STDERR_FILENO) != 0;
};

std::vector<BenchTest> tests_of(const BenchSettings& settings) {
  std::vector<BenchTest> tests;
  for (const int prompt : settings.prompts) {
    if (prompt > 0) tests.push_back({.prompt = prompt, .depth = settings.depth});
  }
  for (const int generate : settings.generates) {
    if (generate > 0) tests.push_back({.generate = generate, .depth = settings.depth});
  }
  for (const int generate : settings.generates) {
    for (const int sequences : settings.batch_sequences) {
      if (generate == 0) continue;
      const int depth = settings.depth > 0 ? settings.depth : BATCH_DEPTH;
      tests.push_back({.generate = generate,
                       .sequences = sequences,
                       .depth = depth,
                       .own_prefixes = settings.own_prefixes && sequences > 1});
    }
  }
  return tests;
}

std::vector<double> rates(const BenchTest& test, const std::vector<double>& seconds) {
  std::vector<double> values;
  values.reserve(seconds.size());
  for (const double each : seconds)
    values.push_back(test.tokens() / each);
  return values;
}

class Bench {
 public:
  explicit Bench(BenchSettings settings)
      : settings_(std::move(settings)),
        path_(find_model(settings_.model)),
        facts_(path_),
        masks_{SublayerMask{}} {
    if (settings_.decoder.threads == 0) settings_.decoder.threads = default_thread_count();
    for (const std::string& mask : settings_.masks) {
      masks_.push_back(SublayerMask::parse(mask, facts_.layers, "--mask"));
    }
  }

  BenchReport run() {
    BenchReport report;
    progress_.show("loading");
    report.load = measure_load();  // first: children start with this process's memory
    progress_.show("memory bandwidth");
    report.memory_bandwidth = measure_memory_bandwidth(settings_.decoder.threads);
    model_ = Model::load(path_, settings_.model.options);
    if (settings_.compare_libllama) {
      libllama_ = std::make_unique<LibllamaModel>(path_, settings_.model.options);
    }
    report.model = facts_.description();
    report.path = path_.string();
    report.model_bytes = model_->weight_bytes();
    report.parameters = facts_.parameters;
    report.backend = settings_.model.options.gpu_layers > 0 ? "CPU+GPU" : "CPU";
    report.threads = settings_.decoder.threads;
    for (const BenchTest& test : tests_of(settings_)) {
      progress_.show(test.name());
      for (BenchRow& row : run_test(test))
        report.rows.push_back(std::move(row));
      if (!settings_.exit_check || test.generate == 0) continue;
      const auto checks =
          measure_exit_checks(model_, settings_.decoder, test, settings_.repetitions);
      report.exit_checks.insert(report.exit_checks.end(), checks.begin(), checks.end());
    }
    return report;
  }

 private:
  LoadReport measure_load() const {
    std::vector<EngineFactory> loads{[this](EngineSize size) {
      DecoderOptions options = settings_.decoder;
      options.context = size.context;
      auto decoder =
          std::make_shared<Decoder>(Model::load(path_, settings_.model.options), options);
      return make_litestage_engine(std::move(decoder), {});
    }};
    if (settings_.compare_libllama) {
      loads.emplace_back([this](EngineSize size) {
        return LibllamaModel(path_, settings_.model.options).make_engine(settings_.decoder, size);
      });
    }
    std::vector<LoadSamples> samples = measure_loads(loads, MEMORY_TEST, settings_.repetitions);
    LoadReport report{std::move(samples[0]), std::nullopt};
    if (samples.size() > 1) report.libllama = std::move(samples[1]);
    return report;
  }

  // One row a mask, the whole model's first.
  std::vector<BenchRow> run_test(const BenchTest& test) const {
    DecoderOptions options = settings_.decoder;
    options.context = test.engine_size().context;
    const auto decoder = std::make_shared<Decoder>(model_, options);
    std::vector<std::unique_ptr<BenchEngine>> engines;
    for (const SublayerMask& mask : masks_)
      engines.push_back(make_litestage_engine(decoder, mask));
    LibllamaResult libllama;
    if (libllama_) engines.push_back(make_libllama_engine(test, libllama.flash_attention));

    std::vector<BenchEngine*> arms;
    for (const auto& engine : engines) {
      warm_up(*engine, test, model_->vocabulary_size());
      arms.push_back(engine.get());
    }
    const auto seconds =
        run_interleaved(arms, test, model_->vocabulary_size(), settings_.repetitions);

    std::vector<BenchRow> rows;
    for (std::size_t i = 0; i < masks_.size(); ++i) {
      BenchRow row;
      row.test = test;
      row.mask = masks_[i].to_string();
      row.tokens_per_second = rates(test, seconds[i]);
      row.bytes_per_token = model_->bytes_per_token(masks_[i]);
      if (i > 0)
        row.gain = MaskGain{paired_ratio(seconds[0], seconds[i]), promise(test, masks_[i])};
      if (libllama_) {
        row.libllama = libllama;
        row.libllama->tokens_per_second = rates(test, seconds.back());
        row.libllama->ratio = paired_ratio(seconds.back(), seconds[i]);
      }
      rows.push_back(std::move(row));
    }
    return rows;
  }

  // How much faster a mask should be if time went with the bytes of weights alone. A prompt works
  // through the layers for every token but through the head only for the last one.
  double promise(const BenchTest& test, const SublayerMask& mask) const {
    std::size_t whole = model_->bytes_per_token();
    std::size_t masked = model_->bytes_per_token(mask);
    if (test.prompt > 0) {
      std::size_t layers = 0;
      for (int layer = 0; layer < model_->layer_count(); ++layer) {
        layers += model_->sublayer_bytes(Sublayer::attention, layer) +
                  model_->sublayer_bytes(Sublayer::ffn, layer);
      }
      masked = layers - (whole - masked);
      whole = layers;
    }
    return static_cast<double>(whole) / static_cast<double>(std::max<std::size_t>(masked, 1));
  }

  std::unique_ptr<BenchEngine> make_libllama_engine(const BenchTest& test, bool& flash) const {
    DecoderOptions options = settings_.decoder;
    const auto make = [&](bool with_flash) {
      options.flash_attention = with_flash ? FlashAttention::on : FlashAttention::off;
      return libllama_->make_engine(options, test.engine_size());
    };
    // A quantised V cache needs flash attention there.
    const bool must = options.kv_type == KvType::q8_0;
    flash = must || settings_.libllama_flash != LibllamaFlash::off;
    auto engine = make(flash);
    if (must || settings_.libllama_flash != LibllamaFlash::faster) return engine;

    auto other = make(false);
    BenchTest brief = test;
    brief.generate = std::min(test.generate, FLASH_TRIAL_STEPS);
    for (BenchEngine* each : {engine.get(), other.get()}) {
      warm_up(*each, test, model_->vocabulary_size());
    }
    const std::vector<BenchEngine*> both{engine.get(), other.get()};
    const auto seconds = run_interleaved(both, brief, model_->vocabulary_size(), FLASH_TRIALS);
    flash = std::ranges::min(seconds[0]) <= std::ranges::min(seconds[1]);
    return flash ? std::move(engine) : std::move(other);
  }

  BenchSettings settings_;
  std::filesystem::path path_;
  FileFacts facts_;
  std::vector<SublayerMask> masks_;  // the first one leaves nothing out
  std::shared_ptr<const Model> model_;
  std::unique_ptr<LibllamaModel> libllama_;
  Progress progress_;
};

}  // namespace

BenchReport run_bench(BenchSettings settings) {
  return Bench(std::move(settings)).run();
}

}  // namespace litestage::app
