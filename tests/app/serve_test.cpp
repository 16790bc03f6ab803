// `litestage serve` as its users call it.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "app/serve_run.h"
#include "support/http_client.h"
#include "support/run_program.h"
#include "support/verb_test.h"

namespace litestage::test {
namespace {

class ServeVerb : public VerbTest {
 protected:
  std::vector<std::string> serve(std::vector<std::string> flags) const {
    flags.insert(flags.begin(), {"serve", "-m", path("tiny.gguf"), "-t", "1", "--port", "0"});
    return flags;
  }

  /// The port that the started program says it listens on.
  std::uint16_t wait_for_port() const {
    const std::string before = "listening on http://127.0.0.1:";
    while (true) {
      const std::string text =
          std::filesystem::exists(path("errors")) ? read_file(path("errors")) : std::string();
      const std::size_t at = text.find(before);
      if (at != std::string::npos && text.find(';', at) != std::string::npos)
        return static_cast<std::uint16_t>(std::stoi(text.substr(at + before.size())));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
};

TEST(ServedModel, IsCalledByItsName) {
  EXPECT_EQ(app::model_file_name("qwen2.5-coder-0.5b"), "qwen2.5-coder-0.5b");
  EXPECT_EQ(app::model_file_name("/models/tiny-v0.5.gguf"), "tiny-v0.5");
  EXPECT_EQ(app::model_file_name("models/tiny"), "tiny");
}

TEST_F(ServeVerb, RefusesWhatCannotBe) {
  expect_refused(serve({"--host", "0.0.0.0"}), "--api-key");
  expect_refused(serve({"--host", "no.such.host.invalid", "--api-key", "k"}), "--host");
  expect_refused(serve({"--host", "192.0.2.1", "--api-key", "k"}), "192.0.2.1");
  expect_refused(serve({"--plan", path("nothing.json")}), "nothing.json");
  expect_refused(serve({"--program", "no-such-program"}), "no-such-program");
  expect_refused(serve({"--port", "70000"}), "--port");
  expect_refused(serve({"--parallel", "0"}), "--parallel");
}

TEST_F(ServeVerb, AModelThatCannotBeLoadedEndsIt) {
  write_file(path("broken.gguf"), "no model");
  expect_refused({"serve", "-m", path("broken.gguf"), "--port", "0"}, "broken.gguf");
}

TEST_F(ServeVerb, AnswersUntilItIsTerminated) {
  const pid_t child =
      start_program(serve({"--program", path("three.toml"), "--alias", "me"}), path("errors"));
  const std::uint16_t port = wait_for_port();
  while (ask(port, "GET", "/health").status != 200)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const nlohmann::json models = ask(port, "GET", "/v1/models").json().at("data");
  ASSERT_EQ(models.size(), 2U);
  EXPECT_EQ(models[0].at("id"), "me");
  EXPECT_EQ(models[1].at("id"), "three");
  const HttpAnswer answer =
      ask(port, "POST", "/v1/stages", R"({"question": "Which? (A) x (B) y", "program": "three"})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  kill(child, SIGTERM);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << read_file(path("errors"));
}

TEST_F(ServeVerb, TheKeyComesFromTheEnvironment) {
  const ScopedVariable key("LITESTAGE_API_KEY", "secret");
  const pid_t child = start_program(serve({"--program", path("three.toml")}), path("errors"));
  const std::uint16_t port = wait_for_port();
  EXPECT_EQ(ask(port, "GET", "/metrics").status, 401);
  EXPECT_EQ(ask(port, "GET", "/metrics", "", {{"Authorization", "Bearer secret"}}).status, 200);
  EXPECT_EQ(read_file(path("errors")).find("secret"), std::string::npos);
  kill(child, SIGINT);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace litestage::test
