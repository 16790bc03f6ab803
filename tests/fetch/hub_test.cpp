#include "fetch/hub.h"

#include <gtest/gtest.h>

#include "fetch/hub_cache.h"
#include "litestage/error.h"
#include "support/temporary.h"

namespace litestage::fetch {
namespace {

TEST(HubReference, IsReadStrictly) {
  EXPECT_EQ(parse_hub_reference("a/b-1.5_x").repository, "a/b-1.5_x");
  EXPECT_EQ(parse_hub_reference("a/b").quantisation, "");
  EXPECT_EQ(parse_hub_reference("a/b:q8_0").quantisation, "Q8_0");
  for (const char* wrong :
       {"", "a", "a/", "/b", "a/b/c", "a/b:", "a/b:x/y", "../b", "a/..", "a b/c", "-a/b"})
    EXPECT_THROW(parse_hub_reference(wrong), UserError) << wrong;
}

std::string chosen(const std::vector<std::string>& files, const std::string& quantisation) {
  const auto index = choose_file(files, quantisation);
  return index ? files[*index] : "none";
}

TEST(ChooseFile, TakesTheQuantisationAskedFor) {
  const std::vector<std::string> files = {"m-Q4_K.gguf", "m-Q4_K_M.gguf", "m.q8_0.gguf",
                                          "mmproj-m-Q8_0.gguf", "README.md"};
  EXPECT_EQ(chosen(files, "Q4_K"), "m-Q4_K.gguf");
  EXPECT_EQ(chosen(files, "Q4_K_M"), "m-Q4_K_M.gguf");
  EXPECT_EQ(chosen(files, "Q8_0"), "m.q8_0.gguf");
  EXPECT_EQ(chosen(files, "K_M"), "m-Q4_K_M.gguf");
  EXPECT_EQ(chosen(files, "Q5_0"), "none");
  EXPECT_EQ(chosen({"q4_0/m-Q4_0-00001-of-00002.gguf"}, "Q4_0"), "q4_0/m-Q4_0-00001-of-00002.gguf");
}

TEST(ChooseFile, PrefersQ4KMThenQ80ThenTheFirst) {
  EXPECT_EQ(chosen({"m-F16.gguf", "m-Q4_K_M.gguf", "m-Q8_0.gguf"}, ""), "m-Q4_K_M.gguf");
  EXPECT_EQ(chosen({"m-F16.gguf", "m-Q8_0.gguf"}, ""), "m-Q8_0.gguf");
  EXPECT_EQ(chosen({"README.md", "mmproj-x.gguf", "m-F16.gguf", "n-F32.gguf"}, ""), "m-F16.gguf");
  EXPECT_EQ(chosen({"README.md"}, ""), "none");
}

TEST(QuantisationOf, ReadsTheFilesName) {
  EXPECT_EQ(quantisation_of("qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"), "Q4_K_M");
  EXPECT_EQ(quantisation_of("SmolLM2-135M-Instruct.Q4_1.gguf"), "Q4_1");
  EXPECT_EQ(quantisation_of("m-IQ2_XXS.gguf"), "IQ2_XXS");
  EXPECT_EQ(quantisation_of("m-bf16.gguf"), "BF16");
  EXPECT_EQ(quantisation_of("my-model.gguf"), "");
  EXPECT_EQ(quantisation_of("Qwen.gguf"), "");
}

TEST(HubListing, KeepsModelsWithLengthAndChecksum) {
  const auto files = parse_hub_listing(R"([
    {"type": "file", "path": "README.md", "size": 10},
    {"type": "file", "path": "b.gguf", "size": 7, "lfs": {"oid": ")" +
                                       std::string(64, 'a') + R"("}},
    {"type": "file", "path": "a.gguf", "size": 5, "lfs": "odd"},
    {"type": "directory", "path": "x"}, 7, {"path": 3}])");
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].path, "a.gguf");
  EXPECT_EQ(files[0].sha256, "");
  EXPECT_EQ(files[1].bytes, 7U);
  EXPECT_EQ(files[1].sha256, std::string(64, 'a'));
}

TEST(HubListing, RefusesOtherAnswersAndPathsThatLeaveTheFolder) {
  for (const char* wrong : {"", "<html>", "{}", R"([{"path": "../../x.gguf"}])",
                            R"([{"path": "/x.gguf"}])", R"([{"path": "a\\..\\x.gguf"}])"})
    EXPECT_THROW(parse_hub_listing(wrong), SourceFailure) << wrong;
}

TEST(HubEndpoint, IsRedirectedByTheVariable) {
  const test::ScopedVariable endpoint("MODEL_ENDPOINT", "http://127.0.0.1:9/mirror/");
  const test::ScopedVariable token("HF_TOKEN", "secret");
  const auto request = hub_file_request("a/b", "x y.gguf");
  EXPECT_EQ(request.url, "http://127.0.0.1:9/mirror/a/b/resolve/main/x%20y.gguf");
  EXPECT_EQ(request.bearer_token, "secret");
}

class HubCaches : public testing::Test {
 protected:
  const test::TemporaryFolder folder_;
  const test::ScopedVariable home_{"HOME", (folder_ / "home").string()};
  const test::ScopedVariable xdg_{"XDG_CACHE_HOME", {}};
  const test::ScopedVariable llama_{"LLAMA_CACHE", {}};
  const test::ScopedVariable hub_{"HF_HUB_CACHE", {}};
  const test::ScopedVariable hf_home_{"HF_HOME", {}};

  /// As the hub's own client lays files: a snapshot of links to blobs.
  std::filesystem::path add_snapshot(const std::filesystem::path& cache,
                                     const std::string& revision, const std::string& file,
                                     const std::string& content) const {
    const auto repository = cache / "models--a--b";
    test::write_file(repository / "blobs" / (revision + file), content);
    const auto link = repository / "snapshots" / revision / file;
    std::filesystem::create_directories(link.parent_path());
    std::filesystem::create_symlink(repository / "blobs" / (revision + file), link);
    return link;
  }
};

TEST_F(HubCaches, AreFoundWhereTheVariablesSay) {
  EXPECT_FALSE(find_in_hub_caches(HubReference{"a/b", ""}));
  const auto in_home =
      add_snapshot(folder_ / "home/.cache/huggingface/hub", "r1", "m-Q8_0.gguf", "1");
  EXPECT_EQ(find_in_hub_caches(HubReference{"a/b", ""}), in_home);
  const auto in_hf_home = add_snapshot(folder_ / "hf/hub", "r1", "m-Q8_0.gguf", "12");
  const test::ScopedVariable hf_home("HF_HOME", (folder_ / "hf").string());
  EXPECT_EQ(find_in_hub_caches(HubReference{"a/b", ""}), in_hf_home);
  const auto in_hub = add_snapshot(folder_ / "hub", "r1", "m-Q8_0.gguf", "123");
  const test::ScopedVariable hub("HF_HUB_CACHE", (folder_ / "hub").string());
  EXPECT_EQ(find_in_hub_caches(HubReference{"a/b", ""}), in_hub);
  test::write_file(folder_ / "llama/a_b_m-Q4_K_M.gguf", "1234");
  const test::ScopedVariable llama("LLAMA_CACHE", (folder_ / "llama").string());
  EXPECT_EQ(find_in_hub_caches(HubReference{"a/b", ""}), folder_ / "llama/a_b_m-Q4_K_M.gguf");
  EXPECT_EQ(find_in_hub_caches(HubReference{"a/b", "Q8_0"}), in_hub);
  EXPECT_FALSE(find_in_hub_caches(HubReference{"a/b", "Q5_0"}));
  EXPECT_FALSE(find_in_hub_caches(HubReference{"a/c", ""}));
}

TEST_F(HubCaches, TheMainRevisionComesFirstAndBrokenLinksDoNotCount) {
  const auto cache = folder_ / "home/.cache/huggingface/hub";
  const auto old = add_snapshot(cache, "aaa", "m-Q4_K_M.gguf", "old");
  const auto main = add_snapshot(cache, "bbb", "m-Q4_K_M.gguf", "new");
  test::write_file(cache / "models--a--b/refs/main", "bbb");
  EXPECT_EQ(find_in_hub_caches(HubReference{"a/b", ""}), main);
  std::filesystem::remove(cache / "models--a--b/blobs/bbbm-Q4_K_M.gguf");
  EXPECT_EQ(find_in_hub_caches(HubReference{"a/b", ""}), old);
}

TEST_F(HubCaches, AFileOfTheCatalogueMustHaveItsLength) {
  const auto link =
      add_snapshot(folder_ / "home/.cache/huggingface/hub", "r", "sub/m.gguf", "12345");
  EXPECT_EQ(find_in_hub_caches("a/b", "sub/m.gguf", 5), link);
  EXPECT_FALSE(find_in_hub_caches("a/b", "sub/m.gguf", 6));
  EXPECT_FALSE(find_in_hub_caches("a/b", "m.gguf", 5));
}

}  // namespace
}  // namespace litestage::fetch
