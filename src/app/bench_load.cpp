#include "app/bench_load.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "litestage/error.h"

namespace litestage::app {
namespace {

// Any model has at least this many tokens in its vocabulary.
constexpr VocabularySize SMALL_VOCABULARY = 256;

struct Pipe {
  Pipe() {
    if (pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  }
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) close(end);
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_end(std::size_t index) {
    close(ends[index]);
    ends[index] = -1;
  }
  std::array<int, 2> ends{-1, -1};  // to read, to write
};

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 512> buffer{};
  for (;;) {
    const ssize_t count = read(descriptor, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

// What the child writes: "+" and milliseconds, or "-" and an error message.
std::string load_and_use(const EngineFactory& load, const BenchTest& test) {
  try {
    const auto begin = std::chrono::steady_clock::now();
    const auto engine = load(test.engine_size());
    const std::array<Token, 1> first{1};
    engine->prefill(0, first);
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - begin;
    warm_up(*engine, test, SMALL_VOCABULARY);
    return "+" + std::to_string(elapsed.count());
  } catch (const std::exception& error) {
    return std::string("-") + error.what();
  }
}

// One child; adds its sample.
void measure_load(const EngineFactory& load, const BenchTest& test, LoadSamples& samples) {
  Pipe pipe;
  const pid_t child = fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    write_all(pipe.ends[1], load_and_use(load, test));
    _exit(0);  // no destructors: they would be the parent's
  }
  pipe.close_end(1);
  const std::string answer = read_all(pipe.ends[0]);
  int status = 0;
  rusage usage{};
  while (wait4(child, &status, 0, &usage) < 0) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "wait4");
  }
  if (answer.starts_with('-')) throw UserError("", answer.substr(1));
  if (!answer.starts_with('+')) throw std::runtime_error("a process that loads the model died");
  samples.milliseconds.push_back(std::strtod(answer.c_str() + 1, nullptr));
  samples.peak_bytes.push_back(static_cast<double>(usage.ru_maxrss) * 1024);
}

}  // namespace

std::vector<LoadSamples> measure_loads(const std::vector<EngineFactory>& load,
                                       const BenchTest& test, int repetitions) {
  std::vector<LoadSamples> samples(load.size());
  LoadSamples unused;
  measure_load(load.front(), test, unused);  // brings the file into the page cache
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    for (std::size_t turn = 0; turn < load.size(); ++turn) {
      const std::size_t index = repetition % 2 == 0 ? turn : load.size() - 1 - turn;
      measure_load(load[index], test, samples[index]);
    }
  }
  return samples;
}

}  // namespace litestage::app
