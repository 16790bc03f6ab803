#include <mpi.h>

#include <cstdlib>
#include <list>
#include <string>
#include <utility>

#include "app/ranks.h"
#include "app/ranks/started.h"

namespace litestage::app {
namespace {

// MPI's own error handler ends all ranks with a message: no result has to be looked at.
class MpiRanks : public Ranks {
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
    std::string shared = text;
    auto length = static_cast<unsigned long long>(text.size());
    MPI_Bcast(&length, 1, MPI_UNSIGNED_LONG_LONG, 0, MPI_COMM_WORLD);
    shared.resize(length);
    MPI_Bcast(shared.data(), static_cast<int>(length), MPI_CHAR, 0, MPI_COMM_WORLD);
    return shared;
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

  std::optional<std::string> hear(bool wait) override {
    int is_there = 1;
    MPI_Status status;
    if (wait) {
      MPI_Probe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &status);
    } else {
      MPI_Iprobe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &is_there, &status);
    }
    if (is_there == 0) return std::nullopt;
    int length = 0;
    MPI_Get_count(&status, MPI_CHAR, &length);
    std::string text(static_cast<std::size_t>(length), '\0');
    MPI_Recv(text.data(), length, MPI_CHAR, status.MPI_SOURCE, TAG, MPI_COMM_WORLD,
             MPI_STATUS_IGNORE);
    return text;
  }

  [[noreturn]] void give_up(int exit_code) override {
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::abort();  // MPI_Abort does not come back
  }

 private:
  static constexpr int TAG = 1;

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

std::unique_ptr<Ranks> join_ranks(int& argc, char**& argv) {
  if (processes_started() == 1) return nullptr;  // to start MPI takes a while
  return std::make_unique<MpiRanks>(argc, argv);
}

}  // namespace litestage::app
