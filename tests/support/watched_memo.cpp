#include "support/watched_memo.h"

#include <sqlite3.h>

#include <memory>
#include <stdexcept>
#include <utility>

#include "offline/stage_store.h"

namespace litestage::test {
namespace {

constexpr const char* LIST = R"(
CREATE TABLE written (what TEXT NOT NULL);
CREATE TRIGGER outcome_written AFTER INSERT ON outcomes
  BEGIN INSERT INTO written VALUES ('outcome ' || new.key); END;
CREATE TRIGGER outcome_changed AFTER UPDATE ON outcomes
  BEGIN INSERT INTO written VALUES ('changed outcome ' || new.key); END;
CREATE TRIGGER outcome_removed AFTER DELETE ON outcomes
  BEGIN INSERT INTO written VALUES ('removed outcome ' || old.key); END;
CREATE TRIGGER measurement_written AFTER INSERT ON measurements
  BEGIN INSERT INTO written VALUES ('measurement ' || new.name); END;
CREATE TRIGGER measurement_changed AFTER UPDATE ON measurements
  BEGIN INSERT INTO written VALUES ('changed measurement ' || new.name); END;
CREATE TRIGGER measurement_removed AFTER DELETE ON measurements
  BEGIN INSERT INTO written VALUES ('removed measurement ' || old.name); END;
)";

}  // namespace

WatchedMemo::WatchedMemo(std::string path) : path_(std::move(path)) {
  { const StageStore store(path_, "model", "program"); }
  rows(LIST);
}

std::size_t WatchedMemo::written() const {
  return std::stoul(rows("SELECT count(*) FROM written").at(0));
}

std::vector<std::string> WatchedMemo::list() const {
  return rows("SELECT what FROM written ORDER BY what");
}

std::string WatchedMemo::check() const {
  return rows("PRAGMA integrity_check").at(0);
}

void WatchedMemo::keep_times_alone() const {
  rows(
      "DELETE FROM outcomes; DELETE FROM measurements WHERE name NOT LIKE 'time on %';"
      "DELETE FROM written");
}

std::vector<std::string> WatchedMemo::rows(const std::string& sql) const {
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(path_.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> database(opened, sqlite3_close);
  std::vector<std::string> rows;
  const auto take = [](void* into, int, char** values, char**) {
    static_cast<std::vector<std::string>*>(into)->emplace_back(values[0]);
    return 0;
  };
  constexpr int BUSY_MS = 10'000;
  const bool ready = result == SQLITE_OK && sqlite3_busy_timeout(opened, BUSY_MS) == SQLITE_OK &&
                     sqlite3_db_config(opened, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                                       static_cast<int*>(nullptr)) == SQLITE_OK;
  if (!ready || sqlite3_exec(opened, sql.c_str(), take, &rows, nullptr) != SQLITE_OK)
    throw std::runtime_error(path_ + ": " + sqlite3_errmsg(opened));
  return rows;
}

}  // namespace litestage::test
