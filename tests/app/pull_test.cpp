// The program itself, as people run and kill it.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/sha256.h"
#include "support/http_server.h"
#include "support/temporary.h"

namespace litestage {
namespace {

using nlohmann::json;
using test::HttpServer;
using test::read_file;
using test::Reply;
using test::run_shell;
using test::ServedRequest;
using test::write_file;

class PullProgram : public testing::Test {
 protected:
  void SetUp() override {
    const json model = {
        {"name", "tiny"},
        {"architecture", "llama"},
        {"parameters", 1},
        {"quantisation", "Q4_0"},
        {"file", "tiny.gguf"},
        {"bytes", content_.size()},
        {"licence", "MIT"},
        {"sha256", sha256_hex(content_)},
        {"sources", {{{"kind", "hub"}, {"repository", "user/repo"}, {"file", "tiny.gguf"}}}}};
    write_file(folder_ / "catalogue.json", json{{"schema", 1}, {"models", {model}}}.dump());
  }

  /// Starts `litestage pull tiny` and waits until half of the file has come.
  pid_t start_and_wait_for_half() const {
    std::string program = LITESTAGE_PROGRAM;
    std::string verb = "pull";
    std::string name = "tiny";
    const std::array<char*, 4> arguments = {program.data(), verb.data(), name.data(), nullptr};
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    const std::string errors = (folder_ / "errors").string();
    posix_spawn_file_actions_addopen(&actions, 2, errors.c_str(), O_WRONLY | O_CREAT, 0644);
    pid_t child = 0;
    const int error =
        ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("the program does not start");
    std::error_code none_yet;
    while (std::filesystem::file_size(part_, none_yet) != HALF || none_yet) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      if (::waitpid(child, nullptr, WNOHANG) != 0) throw std::runtime_error("the program ended");
    }
    return child;
  }

  static constexpr std::size_t HALF = 150'000;
  const std::string content_ = "GGUF" + test::random_bytes(299'996, 3);
  const test::TemporaryFolder folder_;
  const std::filesystem::path target_ = folder_ / "cache/models/tiny.gguf";
  const std::filesystem::path part_ = target_.string() + ".part";
  /// The first request hangs half-way; every later one is served.
  std::atomic<int> served_ = 0;
  HttpServer server_{[this](const ServedRequest& request) {
    Reply reply = test::file_reply(content_, request);
    if (++served_ == 1) {
      reply.cut_after = HALF;
      reply.hang_at_cut = true;
    }
    return reply;
  }};
  const test::ScopedVariable cache_{"LITESTAGE_CACHE", (folder_ / "cache").string()};
  const test::ScopedVariable catalogue_{"LITESTAGE_CATALOGUE",
                                        (folder_ / "catalogue.json").string()};
  const test::ScopedVariable endpoint_{"MODEL_ENDPOINT", server_.url()};
};

TEST_F(PullProgram, GoesOnAfterBeingKilled) {
  const pid_t child = start_and_wait_for_half();
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(std::filesystem::exists(target_));
  EXPECT_EQ(read_file(part_), content_.substr(0, HALF));

  const auto result = run_shell(std::string(LITESTAGE_PROGRAM) + " pull tiny");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, target_.string() + "\n");
  EXPECT_EQ(result.errors, "");
  EXPECT_EQ(read_file(target_), content_);
  EXPECT_EQ(server_.requests().at(1).range_begin(), HALF);
}

TEST_F(PullProgram, CtrlCSaysHowToGoOn) {
  const pid_t child = start_and_wait_for_half();
  ::kill(child, SIGINT);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_EQ(read_file(folder_ / "errors"),
            "interrupted; 0.1 MB are kept, and the same command goes on: litestage pull tiny\n");
  EXPECT_EQ(read_file(part_), content_.substr(0, HALF));
}

TEST_F(PullProgram, AFullDiskIsExitCodeTwoAndTheGoodFileStays) {
  write_file(target_, "the file from before");
  served_ = 1;
  // ulimit counts in blocks of 512 or 1024 bytes, both well below the file.
  const auto result = run_shell("trap '' XFSZ; ulimit -f 100; " LITESTAGE_PROGRAM " pull tiny");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.errors.find("tiny.gguf.part: cannot be written: "), std::string::npos)
      << result.errors;
  EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1) << result.errors;
  EXPECT_EQ(read_file(target_), "the file from before");
}

TEST_F(PullProgram, ModelsListsAsTableAndAsJson) {
  served_ = 1;
  const std::string program = LITESTAGE_PROGRAM;
  auto parsed = json::parse(run_shell(program + " models --json").output);
  EXPECT_EQ(parsed["folder"], target_.parent_path().string());
  EXPECT_EQ(parsed["models"][0]["downloaded"], false);
  EXPECT_EQ(parsed["models"][0]["path"], nullptr);
  ASSERT_EQ(run_shell(program + " pull tiny").exit_code, 0);
  parsed = json::parse(run_shell(program + " models --json").output);
  EXPECT_EQ(parsed["models"][0]["downloaded"], true);
  EXPECT_EQ(parsed["models"][0]["path"], target_.string());
  EXPECT_EQ(parsed["models"][0]["bytes"], content_.size());
  const auto table = run_shell(program + " models").output;
  EXPECT_NE(table.find(target_.string()), std::string::npos) << table;
}

TEST_F(PullProgram, AsksForExactlyOneModel) {
  const std::string program = LITESTAGE_PROGRAM;
  EXPECT_EQ(run_shell(program + " pull").exit_code, 2);
  EXPECT_EQ(run_shell(program + " pull tiny -hf a/b").exit_code, 2);
  EXPECT_EQ(run_shell(program + " pull tiny --source elsewhere").exit_code, 2);
  EXPECT_EQ(run_shell(program + " pull --help").exit_code, 0);
}

}  // namespace
}  // namespace litestage
