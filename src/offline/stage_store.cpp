#include "offline/stage_store.h"

#include <sqlite3.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include <fmt/format.h>

#include "base/sha256.h"
#include "litestage/error.h"
#include "stage/choice.h"

namespace litestage {
namespace {

// "LsM1": tells our files from other databases.
constexpr int APPLICATION_ID = 0x4c734d31;
constexpr int BUSY_MS = 10'000;

using Json = nlohmann::json;

struct StatementCloser {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

/// One prepared statement, run once.
class Statement {
 public:
  Statement(sqlite3* database, const std::string& path, const char* sql)
      : database_(database), path_(path) {
    sqlite3_stmt* statement = nullptr;
    expect(sqlite3_prepare_v2(database, sql, -1, &statement, nullptr) == SQLITE_OK);
    statement_.reset(statement);
  }

  Statement& bind(int index, std::string_view text) {
    expect(sqlite3_bind_text64(statement_.get(), index, text.data(), text.size(), SQLITE_TRANSIENT,
                               SQLITE_UTF8) == SQLITE_OK);
    return *this;
  }
  Statement& bind(int index, const std::vector<std::uint8_t>& bytes) {
    expect(sqlite3_bind_blob64(statement_.get(), index, bytes.data(), bytes.size(),
                               SQLITE_TRANSIENT) == SQLITE_OK);
    return *this;
  }
  /// @return whether there is a row
  bool step() {
    const int result = sqlite3_step(statement_.get());
    expect(result == SQLITE_ROW || result == SQLITE_DONE);
    return result == SQLITE_ROW;
  }
  std::vector<std::uint8_t> blob(int column) {
    const auto* bytes =
        static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_.get(), column));
    return {bytes, bytes + sqlite3_column_bytes(statement_.get(), column)};
  }
  std::string text(int column) {
    const std::vector<std::uint8_t> bytes = blob(column);
    return {bytes.begin(), bytes.end()};
  }
  int integer(int column) { return sqlite3_column_int(statement_.get(), column); }

 private:
  void expect(bool holds) const {
    if (holds) return;
    throw UserError(path_, fmt::format("the memo fails: {}", sqlite3_errmsg(database_)),
                    "check the space left and the file, or name another one by --memo");
  }

  sqlite3* database_;
  const std::string& path_;
  std::unique_ptr<sqlite3_stmt, StatementCloser> statement_;
};

std::vector<std::uint8_t> to_bytes(const StageOutcome& outcome) {
  Json json;
  json["records"] = Json::array();
  for (const StageRecord& record : outcome.records) {
    json["records"].push_back({record.name, record.option, record.text, record.prompt_tokens,
                               record.reused_tokens, record.tokens, record.prefill_ms,
                               record.decode_ms, static_cast<int>(record.stop_reason), record.mask,
                               record.prefill_mask});
  }
  json["raw_texts"] = Json::array();
  for (const std::string& text : outcome.raw_texts)  // sampled bytes need not be valid UTF-8
    json["raw_texts"].push_back(Json::binary({text.begin(), text.end()}));
  json["tokens"] = outcome.tokens;
  json["confidences"] = Json::array();
  for (const std::vector<Confidence>& text : outcome.confidences) {
    std::vector<float> flat;
    for (const Confidence& confidence : text)
      flat.insert(flat.end(), {confidence.largest_logit, confidence.largest_probability,
                               confidence.negative_entropy});
    json["confidences"].push_back(flat);
  }
  json["option_probabilities"] = outcome.option_probabilities;
  return Json::to_msgpack(json);
}

StageRecord read_record(const Json& json) {
  StageRecord record;
  record.name = json.at(0).get<std::string>();
  record.option = json.at(1).get<std::string>();
  record.text = json.at(2).get<std::string>();
  record.prompt_tokens = json.at(3).get<int>();
  record.reused_tokens = json.at(4).get<int>();
  record.tokens = json.at(5).get<int>();
  record.prefill_ms = json.at(6).get<double>();
  record.decode_ms = json.at(7).get<double>();
  record.stop_reason = static_cast<StopReason>(json.at(8).get<int>());
  record.mask = json.at(9).get<std::string>();
  record.prefill_mask = json.at(10).get<std::string>();
  return record;
}

StageOutcome read_outcome(const std::vector<std::uint8_t>& bytes) {
  const Json json = Json::from_msgpack(bytes);
  StageOutcome outcome;
  for (const Json& record : json.at("records"))
    outcome.records.push_back(read_record(record));
  for (const Json& text : json.at("raw_texts")) {
    const auto& binary = text.get_binary();
    outcome.raw_texts.emplace_back(binary.begin(), binary.end());
  }
  outcome.tokens = json.at("tokens").get<std::vector<std::vector<Token>>>();
  for (const Json& text : json.at("confidences")) {
    const auto flat = text.get<std::vector<float>>();
    std::vector<Confidence> confidences;
    for (std::size_t i = 0; i + 2 < flat.size(); i += 3)
      confidences.push_back({flat[i], flat[i + 1], flat[i + 2]});
    outcome.confidences.push_back(std::move(confidences));
  }
  outcome.option_probabilities =
      json.value("option_probabilities", std::vector<std::vector<double>>{});
  for (std::size_t i = 0; i < outcome.option_probabilities.size(); ++i)
    outcome.records.at(i).margin = lead(outcome.option_probabilities[i]);
  return outcome;
}

int single_integer(sqlite3* database, const std::string& path, const char* sql) {
  Statement statement(database, path, sql);
  return statement.step() ? statement.integer(0) : 0;
}

void set_up(sqlite3* database, const std::string& path) {
  const int id = single_integer(database, path, "PRAGMA application_id");
  const int tables = single_integer(database, path, "SELECT count(*) FROM sqlite_master");
  if (tables > 0 && id != APPLICATION_ID) {
    throw UserError(path, "is a database, but no memo of this version",
                    "name another file by --memo");
  }
  constexpr const char* OUTCOMES =
      "CREATE TABLE IF NOT EXISTS outcomes (key TEXT PRIMARY KEY, outcome BLOB) WITHOUT ROWID";
  constexpr const char* MEASUREMENTS =
      "CREATE TABLE IF NOT EXISTS measurements"
      " (scope TEXT, name TEXT, amounts BLOB, PRIMARY KEY (scope, name)) WITHOUT ROWID";
  for (const char* sql : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL",
                          "PRAGMA application_id = 1282624817", OUTCOMES, MEASUREMENTS})
    Statement(database, path, sql).step();
}
static_assert(APPLICATION_ID == 1282624817);

}  // namespace

void StageStore::Closer::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

StageStore::StageStore(const std::string& path, const std::string& model_hash,
                       const std::string& program_hash, const std::string& engine)
    : path_(path), scope_(fmt::format("{} {} {}", model_hash, program_hash, engine)) {
  sqlite3* database = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  database_.reset(database);
  if (result != SQLITE_OK) {
    throw UserError(path, fmt::format("the memo cannot be opened: {}", sqlite3_errstr(result)),
                    "check the folder and its permissions");
  }
  sqlite3_busy_timeout(database, BUSY_MS);
  set_up(database, path_);
}

StageStore::~StageStore() = default;

std::string StageStore::key(std::string_view rest) const {
  return sha256_hex(fmt::format("{} {}", scope_, rest));
}

std::optional<StageOutcome> StageStore::find(const StageCall& call) {
  const std::scoped_lock lock(mutex_);
  Statement statement(database_.get(), path_, "SELECT outcome FROM outcomes WHERE key = ?");
  statement.bind(1, key(call_digest(call)));
  if (!statement.step()) return std::nullopt;
  try {
    return read_outcome(statement.blob(0));
  } catch (const Json::exception& error) {
    throw UserError(path_, fmt::format("a remembered stage cannot be read: {}", error.what()),
                    "delete the memo, or name another one by --memo");
  }
}

void StageStore::store(const StageCall& call, const StageOutcome& outcome) {
  const Entry entry{key(call_digest(call)), to_bytes(outcome)};
  add(entry);
  if (watcher_) watcher_(entry);
}

std::vector<StageStore::Entry> StageStore::entries() {
  const std::scoped_lock lock(mutex_);
  Statement statement(database_.get(), path_, "SELECT key, outcome FROM outcomes");
  std::vector<Entry> all;
  while (statement.step())
    all.push_back({statement.text(0), statement.blob(1)});
  return all;
}

void StageStore::add(const Entry& entry) {
  const std::scoped_lock lock(mutex_);
  Statement(database_.get(), path_, "INSERT OR REPLACE INTO outcomes VALUES (?, ?)")
      .bind(1, entry.key)
      .bind(2, entry.outcome)
      .step();
}

void StageStore::watch(std::function<void(const Entry&)> told) {
  watcher_ = std::move(told);
}

std::optional<std::vector<double>> StageStore::find_measurement(std::string_view name) {
  Statement statement(database_.get(), path_,
                      "SELECT amounts FROM measurements WHERE scope = ? AND name = ?");
  statement.bind(1, scope_).bind(2, name);
  if (!statement.step()) return std::nullopt;
  try {
    return Json::from_msgpack(statement.blob(0)).get<std::vector<double>>();
  } catch (const Json::exception& error) {
    throw UserError(path_, fmt::format("a measurement cannot be read: {}", error.what()),
                    "delete the memo, or name another one by --memo");
  }
}

void StageStore::store_measurement(std::string_view name, const std::vector<double>& values) {
  Statement(database_.get(), path_, "INSERT OR REPLACE INTO measurements VALUES (?, ?, ?)")
      .bind(1, scope_)
      .bind(2, name)
      .bind(3, Json::to_msgpack(Json(values)))
      .step();
}

void StageStore::forget_measurements(std::string_view beginning) {
  Statement(database_.get(), path_,
            "DELETE FROM measurements WHERE scope = ?1 AND substr(name, 1, length(?2)) = ?2")
      .bind(1, scope_)
      .bind(2, beginning)
      .step();
}

}  // namespace litestage
