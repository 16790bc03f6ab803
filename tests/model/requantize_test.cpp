// Models written again in another weight type: what comes out loads and computes nearly the same,
// and what fails leaves nothing behind.
#include "model/requantize.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "support/decoder_tools.h"
#include "support/libllama_oracle.h"
#include "support/real_models.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

/// Rows of 256 values, as the blocks of K types need them.
TinyModel wide_model(ggml_type type = GGML_TYPE_F32) {
  TinyOptions options;
  options.layers = 2;
  options.embd = 256;
  options.ffn = 512;
  options.weight_type = type;
  return TinyModel(options);
}

std::vector<float> logits_of(const std::shared_ptr<const Model>& model) {
  Decoder decoder(model, small_decoder());
  return all_logits(decoder, random_tokens(24, model->vocabulary_size(), 3));
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// While it lives no file can grow beyond some bytes, as on a full disk.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(Requantize, EveryTypeLoadsAndIsTheNearerTheLargerItIs) {
  const LoadedTiny tiny(wide_model());
  const std::vector<float> expected = logits_of(tiny.model());
  const TemporaryFolder folder;
  std::map<std::string, double> distances;
  std::map<std::string, std::size_t> sizes;
  for (const std::string& type : requantize_types()) {
    const std::filesystem::path file = folder / (type + ".gguf");
    requantize(tiny.file(), type, file, 1);
    const auto model = Model::load(file);
    sizes[type] = model->weight_bytes();
    distances[type] = nmse(logits_of(model), expected);
    EXPECT_LT(sizes[type], tiny.model()->weight_bytes()) << type;
    EXPECT_GT(distances[type], 0) << type;
    EXPECT_LT(distances[type], 1) << type << ": unlike models are at a distance of 2";
  }
  EXPECT_LT(distances["F16"], 1e-4);
  EXPECT_LT(distances["Q8_0"], 5e-3);
  EXPECT_LT(distances["Q8_0"], distances["Q5_K_M"]);
  EXPECT_LT(distances["Q5_K_M"], distances["Q4_0"]);
  EXPECT_LT(distances["Q4_0"], distances["Q2_K"]);
  EXPECT_LT(sizes["Q4_0"], sizes["Q5_0"]);
  EXPECT_LT(sizes["Q5_0"], sizes["Q8_0"]);
}

TEST(Requantize, TakesQuantisedModelsAndRowsThatNoBlockFits) {
  const LoadedTiny quantised(wide_model(GGML_TYPE_Q8_0));
  const TemporaryFolder folder;
  requantize(quantised.file(), "Q4_0", folder / "a.gguf", 1);
  EXPECT_LT(Model::load(folder / "a.gguf")->weight_bytes(), quantised.model()->weight_bytes());

  const LoadedTiny narrow(TinyOptions{});  // rows of 64 and 96 values
  requantize(narrow.file(), "Q4_K_M", folder / "b.gguf", 1);
  EXPECT_LT(nmse(logits_of(Model::load(folder / "b.gguf")), logits_of(narrow.model())), 0.5);
}

TEST(Requantize, PutsTheOutputInPlaceOfAnOlderFile) {
  const LoadedTiny tiny(wide_model());
  const TemporaryFolder folder;
  write_file(folder / "out.gguf", "old");
  requantize(tiny.file(), "q8_0", folder / "out.gguf", 1);
  EXPECT_NO_THROW(Model::load(folder / "out.gguf"));
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"out.gguf"});
  const auto permissions = std::filesystem::status(folder / "out.gguf").permissions();
  EXPECT_NE(permissions & std::filesystem::perms::group_read, std::filesystem::perms::none);
}

TEST(Requantize, AFullDiskLeavesNothingBehind) {
  const LoadedTiny tiny(wide_model());
  const TemporaryFolder folder;
  write_file(folder / "out.gguf", "old");
  for (const rlim_t bytes : {rlim_t{1}, rlim_t{5000}, rlim_t{300'000}}) {
    const SmallDisk disk(bytes);
    EXPECT_THROW(requantize(tiny.file(), "Q8_0", folder / "out.gguf", 1), UserError) << bytes;
    EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"out.gguf"}) << bytes;
  }
  EXPECT_EQ(read_file(folder / "out.gguf"), "old");
}

TEST(Requantize, SaysWhatIsWrong) {
  const LoadedTiny tiny(wide_model());
  const TemporaryFolder folder;
  const auto error_of = [&](const std::filesystem::path& source, const char* type,
                            const std::filesystem::path& output) -> std::string {
    try {
      requantize(source, type, output, 1);
    } catch (const UserError& error) {
      return error.what();
    }
    return "none";
  };
  const std::string unknown = error_of(tiny.file(), "Q9", folder / "out.gguf");
  EXPECT_NE(unknown.find("\"Q9\""), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("Q3_K_M, "), std::string::npos) << unknown;
  EXPECT_NE(error_of(tiny.file(), "Q8_0", folder / "no" / "out.gguf").find("cannot be written"),
            std::string::npos);
  EXPECT_NE(error_of(folder / "none.gguf", "Q8_0", folder / "out.gguf").find("none.gguf"),
            std::string::npos);
  write_file(folder / "bad.gguf", "GGUF and then nothing that fits");
  EXPECT_NE(error_of(folder / "bad.gguf", "Q8_0", folder / "out.gguf"), "none");
  EXPECT_FALSE(std::filesystem::exists(folder / "out.gguf"));
}

TEST(RealRequantize, TheSmallModelStaysCloseToItself) {
  const auto file = find_real_model(SMALL_MODEL);
  if (!file) {
    ASSERT_FALSE(real_models_are_required());
    GTEST_SKIP() << SMALL_MODEL << " is not there";
  }
  const auto original = Model::load(*file);
  const std::vector<Token> tokens = original->tokenizer().encode(
      "The capital of France is Paris, and that of Italy is", true, false);
  DecoderOptions options;
  options.context = 64;
  const auto logits_of_file = [&](const std::filesystem::path& path) {
    Decoder decoder(Model::load(path), options);
    return all_logits(decoder, tokens);
  };
  const std::vector<float> expected = logits_of_file(*file);
  const TemporaryFolder folder;
  const auto distance_as = [&](const char* type) {
    requantize(*file, type, folder / type);
    const std::vector<float> logits = logits_of_file(folder / type);
    return nmse(logits, expected);
  };
  // The file is Q4_1. Its own type changes nothing, and Q4_0 takes the minimum of each block away,
  // which this small model feels; unlike texts are at a distance of about 2.
  EXPECT_EQ(distance_as("Q4_1"), 0);
  EXPECT_LT(distance_as("Q8_0"), 0.02);
  const double coarse = distance_as("Q4_0");
  EXPECT_GT(coarse, 0.02);
  EXPECT_LT(coarse, 0.5);
  EXPECT_LT(std::filesystem::file_size(folder / "Q4_0"), std::filesystem::file_size(*file));
}

}  // namespace
}  // namespace litestage::test
