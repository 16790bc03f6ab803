#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stage/stage_memo.h"

struct sqlite3;

namespace litestage {

/// A memo of stages on disk (SQLite): what a search has run stays there, whenever it is killed, and
/// is not run again. One file may serve any number of models and programs, and several searches at
/// a time. Outcomes may be asked for and stored by several threads.
class StageStore : public StageMemo {
 public:
  /// Opens the file or makes it.
  /// @param engine what else decides outcomes and times, as one text: nothing that was stored under
  /// another one is found
  /// @throws UserError when it cannot be opened or is no store of this version
  StageStore(const std::string& path, const std::string& model_hash,
             const std::string& program_hash, const std::string& engine = {});
  ~StageStore() override;

  /// @throws UserError when the file cannot be read or holds something else than was stored
  std::optional<StageOutcome> find(const StageCall& call) override;
  /// @throws UserError when the file cannot be written
  void store(const StageCall& call, const StageOutcome& outcome) override;

  /// An outcome as the store keeps it.
  struct Entry {
    std::string key;
    std::vector<std::uint8_t> outcome;
  };
  /// All outcomes, of whatever model and program.
  std::vector<Entry> entries();
  /// Keeps an outcome of another store.
  void add(const Entry& entry);
  /// @param told of every outcome that is stored from now on, by the thread that stores it
  void watch(std::function<void(const Entry&)> told);

  /// Measurements under a name, for instance milliseconds.
  std::optional<std::vector<double>> find_measurement(std::string_view name);
  void store_measurement(std::string_view name, const std::vector<double>& values);
  /// Forgets the measurements of this model and program whose names begin so, to make them anew.
  void forget_measurements(std::string_view beginning);

 private:
  struct Closer {
    void operator()(sqlite3* database) const;
  };
  std::string key(std::string_view rest) const;

  std::string path_;
  std::string scope_;  ///< model, program and engine: part of every key
  std::unique_ptr<sqlite3, Closer> database_;
  std::mutex mutex_;  // of outcomes: an error's text belongs to the last call
  std::function<void(const Entry&)> watcher_;
};

}  // namespace litestage
