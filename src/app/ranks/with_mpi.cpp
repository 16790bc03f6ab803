#include <mpi.h>

#include <chrono>
#include <cstdlib>
#include <list>
#include <string>
#include <thread>
#include <utility>

#include "app/joined_ranks.h"
#include "app/ranks/started.h"

namespace litestage::app {
namespace {

// MPI's own error handler ends all ranks with a message: no result has to be looked at.
class MpiRanks : public JoinedRanks {
 public:
  MpiRanks(int& argc, char**& argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }
  MpiRanks(const MpiRanks&) = delete;
  MpiRanks& operator=(const MpiRanks&) = delete;
  ~MpiRanks() override {
    for (Sent& sent : sent_)
      MPI_Wait(&sent.request, MPI_STATUS_IGNORE);
    MPI_Finalize();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  std::string from_first(const std::string& text) override {
    if (rank_ != 0) return *receive(0, true);
    for (int other = 1; other < size_; ++other) {
      MPI_Send(text.data(), static_cast<int>(text.size()), MPI_CHAR, other, TAG, MPI_COMM_WORLD);
    }
    return text;
  }

  void tell_first(std::string text) override {
    std::erase_if(sent_, [](Sent& sent) {
      int arrived = 0;
      MPI_Test(&sent.request, &arrived, MPI_STATUS_IGNORE);
      return arrived != 0;
    });
    Sent& sent = sent_.emplace_back();
    sent.text = std::move(text);
    MPI_Isend(sent.text.data(), static_cast<int>(sent.text.size()), MPI_CHAR, 0, TAG,
              MPI_COMM_WORLD, &sent.request);
  }

  std::optional<std::string> hear(bool wait) override { return receive(MPI_ANY_SOURCE, wait); }

  [[noreturn]] void give_up(int exit_code) override {
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::abort();  // MPI_Abort does not come back
  }

 private:
  static constexpr int TAG = 1;
  static constexpr std::chrono::milliseconds PAUSE{2};

  // MPI waits by asking again and again, on a processor that others have better use for.
  static std::optional<std::string> receive(int source, bool wait) {
    MPI_Status status;
    for (int is_there = 0; is_there == 0;) {
      MPI_Iprobe(source, TAG, MPI_COMM_WORLD, &is_there, &status);
      if (is_there != 0) break;
      if (!wait) return std::nullopt;
      std::this_thread::sleep_for(PAUSE);
    }
    int length = 0;
    MPI_Get_count(&status, MPI_CHAR, &length);
    std::string text(static_cast<std::size_t>(length), '\0');
    MPI_Recv(text.data(), length, MPI_CHAR, status.MPI_SOURCE, TAG, MPI_COMM_WORLD,
             MPI_STATUS_IGNORE);
    return text;
  }

  /// A text on its way: MPI reads it there until it has arrived.
  struct Sent {
    std::string text;
    MPI_Request request = MPI_REQUEST_NULL;
  };

  int rank_ = 0;
  int size_ = 1;
  std::list<Sent> sent_;
};

}  // namespace

std::unique_ptr<JoinedRanks> join_ranks(int& argc, char**& argv) {
  if (processes_started() == 1) return nullptr;  // to start MPI takes a while
  return std::make_unique<MpiRanks>(argc, argv);
}

}  // namespace litestage::app
