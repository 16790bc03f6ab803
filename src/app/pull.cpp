#include "app/pull.h"

#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <cstdio>

#include "app/progress.h"

namespace litestage::app {
namespace {

// What a signal handler may touch.
std::atomic<bool> ctrl_c_seen = false;

/// Ctrl-C asks the download to stop, so that what came is kept in order; a second one ends the
/// program.
class InterruptWatch {
 public:
  InterruptWatch() {
    struct sigaction action {};
    action.sa_handler = [](int) { ctrl_c_seen = true; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGINT, &action, &interrupt_before_);
    ::sigaction(SIGTERM, &action, &terminate_before_);
  }
  ~InterruptWatch() {
    ::sigaction(SIGINT, &interrupt_before_, nullptr);
    ::sigaction(SIGTERM, &terminate_before_, nullptr);
  }
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

 private:
  struct sigaction interrupt_before_ {};
  struct sigaction terminate_before_ {};
};

}  // namespace

PullResult pull_with_progress(const std::string& reference, PullOptions options) {
  ProgressBar bar;
  options.progress = [&](const PullProgress& progress) {
    const bool is_check = progress.step == PullProgress::Step::checking;
    bar.show(is_check ? "checking" : progress.source, progress.done, progress.total);
    return !ctrl_c_seen;
  };
  options.note = [&](const std::string& text) {
    bar.wipe();
    fmt::print(stderr, "{}\n", text);
  };
  ctrl_c_seen = false;
  const InterruptWatch watch;
  return pull_model(reference, options);
}

}  // namespace litestage::app
