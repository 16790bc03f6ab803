#include "app/bench_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ggml.h>
#include <llama.h>

#include <nlohmann/json.hpp>

namespace litestage::app {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr double GIGA = 1e9;

void add_machine(OrderedJson& row, const BenchReport& report) {
  row["model"] = report.model;
  row["model_path"] = report.path;
  row["model_size"] = report.model_bytes;
  row["model_params"] = report.parameters;
  row["backend"] = report.backend;
  row["threads"] = report.threads;
  row["version"] = LITESTAGE_VERSION;
  row["ggml_version"] = ggml_version();
  row["llama_version"] = llama_version();
}

void add_ratio(OrderedJson& row, const std::string& name, const Ratio& ratio) {
  row[name] = ratio.value;
  row[name + "_low"] = ratio.low;  // the interval of one pair is infinite: null in JSON
  row[name + "_high"] = ratio.high;
}

void add_load(OrderedJson& row, const LoadReport& load) {
  row["load_ms"] = mean(load.litestage.milliseconds);
  row["peak_memory_bytes"] = mean(load.litestage.peak_bytes);
  if (!load.libllama) return;
  row["libllama_load_ms"] = mean(load.libllama->milliseconds);
  row["libllama_peak_memory_bytes"] = mean(load.libllama->peak_bytes);
  add_ratio(row, "load_ratio",
            paired_ratio(load.litestage.milliseconds, load.libllama->milliseconds));
  add_ratio(row, "peak_memory_ratio",
            paired_ratio(load.litestage.peak_bytes, load.libllama->peak_bytes));
}

void add_test(OrderedJson& row, const BenchTest& test) {
  row["test"] = test.name();
  row["n_prompt"] = test.prompt;
  row["n_gen"] = test.generate;
  row["n_depth"] = test.depth;
  row["batch_sequences"] = test.sequences;
  row["own_prefixes"] = test.own_prefixes;
}

OrderedJson check_json(const BenchReport& report, const ExitCheck& check) {
  OrderedJson json;
  add_machine(json, report);
  add_test(json, check.test);
  json["exit_check"] = to_string(check.confidence);
  json["exit_check_ms"] = check.milliseconds;
  json["exit_check_share"] = check.share;
  add_ratio(json, "exit_check_ratio", check.ratio);
  return json;
}

OrderedJson row_json(const BenchReport& report, const BenchRow& row) {
  OrderedJson json;
  add_machine(json, report);
  add_test(json, row.test);
  json["mask"] = row.mask;
  json["tokens_per_second"] = mean(row.tokens_per_second);
  json["tokens_per_second_sd"] = standard_deviation(row.tokens_per_second);
  json["samples"] = row.tokens_per_second;
  json["bytes_per_token"] = row.bytes_per_token;
  const auto moved = row.bytes_per_second();
  json["gigabytes_per_second"] = moved ? OrderedJson(*moved / GIGA) : OrderedJson();
  json["memory_gigabytes_per_second"] = report.memory_bandwidth / GIGA;
  json["memory_share"] = moved ? OrderedJson(*moved / report.memory_bandwidth) : OrderedJson();
  if (row.gain) {
    add_ratio(json, "gain", row.gain->measured);
    json["gain_promised"] = row.gain->promised;
    json["gain_share"] = row.gain->measured.value / row.gain->promised;
  }
  if (row.libllama) {
    json["libllama_tokens_per_second"] = mean(row.libllama->tokens_per_second);
    json["libllama_tokens_per_second_sd"] = standard_deviation(row.libllama->tokens_per_second);
    json["libllama_samples"] = row.libllama->tokens_per_second;
    json["libllama_flash_attention"] = row.libllama->flash_attention;
    add_ratio(json, "ratio", row.libllama->ratio);
  }
  add_load(json, report.load);
  return json;
}

std::string csv_field(const OrderedJson& value) {
  std::string text = value.is_string() ? value.get<std::string>()
                     : value.is_null() ? ""
                                       : value.dump();
  std::string quoted = "\"";
  for (const char character : text) {
    if (character == '"') quoted += '"';
    quoted += character;
  }
  return quoted + "\"";
}

// Rows with and without a mask, and those of exit checks, differ in their keys; every column that
// any row has is there.
std::string format_csv(const std::vector<OrderedJson>& rows) {
  OrderedJson columns;
  for (const OrderedJson& row : rows) {
    for (const auto& [key, value] : row.items()) {
      if (!value.is_array()) columns[key] = true;
    }
  }
  std::vector<std::string> names;
  for (const auto& [key, value] : columns.items())
    names.push_back(key);
  std::string text = fmt::format("{}\n", fmt::join(names, ","));
  for (const OrderedJson& row : rows) {
    std::vector<std::string> fields;
    fields.reserve(names.size());
    for (const std::string& name : names)
      fields.push_back(csv_field(row.value(name, OrderedJson())));
    text += fmt::format("{}\n", fmt::join(fields, ","));
  }
  return text;
}

struct Column {
  std::string title;
  bool right = true;
  std::vector<std::string> cells;
};

// Width on a terminal of text whose only characters beyond ASCII are one column wide.
std::size_t width_of(const std::string& text) {
  std::size_t width = 0;
  for (const char character : text)
    width += (static_cast<unsigned char>(character) & 0xC0U) != 0x80U;
  return width;
}

std::string format_table(const std::vector<Column>& columns, std::size_t row_count) {
  std::vector<std::size_t> widths;
  for (const Column& column : columns) {
    std::size_t width = column.title.size();
    for (const std::string& cell : column.cells)
      width = std::max(width, width_of(cell));
    widths.push_back(width);
  }
  const auto padded = [&](std::size_t index, const std::string& cell) {
    const std::string space(widths[index] - width_of(cell), ' ');
    return columns[index].right ? space + cell : cell + space;
  };
  std::string titles = "|";
  std::string rule = "|";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    titles += " " + padded(i, columns[i].title) + " |";
    rule += columns[i].right ? " " + std::string(widths[i] - 1, '-') + ": |"
                             : " " + std::string(widths[i], '-') + " |";
  }
  std::string text = titles + "\n" + rule + "\n";
  for (std::size_t row = 0; row < row_count; ++row) {
    text += '|';
    for (std::size_t i = 0; i < columns.size(); ++i)
      text += " " + padded(i, columns[i].cells[row]) + " |";
    text += '\n';
  }
  return text;
}

std::string spread(std::span<const double> values) {
  return fmt::format("{:.2f} ± {:.2f}", mean(values), standard_deviation(values));
}

std::string interval(const Ratio& ratio) {
  if (ratio.high > 1e6) return fmt::format("{:.3f}", ratio.value);  // one pair: no interval
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", ratio.value, ratio.low, ratio.high);
}

std::string binary_size(double bytes) {
  const double mebi = bytes / (1024.0 * 1024.0);
  return mebi < 1024 ? fmt::format("{:.2f} MiB", mebi) : fmt::format("{:.2f} GiB", mebi / 1024);
}

std::vector<Column> table_of(const BenchReport& report) {
  bool masked = false;
  bool compared = false;
  for (const BenchRow& row : report.rows) {
    masked = masked || row.gain;
    compared = compared || row.libllama;
  }
  std::vector<Column> columns;
  const auto add = [&](std::string title, bool right, auto cell_of) {
    Column& column = columns.emplace_back(Column{std::move(title), right, {}});
    for (const BenchRow& row : report.rows)
      column.cells.push_back(cell_of(row));
  };
  add("model", false, [&](const BenchRow&) { return report.model; });
  add("size", true,
      [&](const BenchRow&) { return binary_size(static_cast<double>(report.model_bytes)); });
  add("params", true, [&](const BenchRow&) {
    return fmt::format("{:.2f} M", static_cast<double>(report.parameters) / 1e6);
  });
  add("backend", false, [&](const BenchRow&) { return report.backend; });
  add("threads", true, [&](const BenchRow&) { return std::to_string(report.threads); });
  if (masked) add("mask", false, [](const BenchRow& row) { return row.mask; });
  add("test", true, [](const BenchRow& row) {
    return row.test.depth > 0 ? fmt::format("{} @ d{}", row.test.name(), row.test.depth)
                              : row.test.name();
  });
  add("t/s", true, [](const BenchRow& row) { return spread(row.tokens_per_second); });
  if (masked) {
    add("gain", true,
        [](const BenchRow& row) { return row.gain ? interval(row.gain->measured) : ""; });
    add("promised", true, [](const BenchRow& row) {
      return row.gain ? fmt::format("{:.3f}", row.gain->promised) : "";
    });
  }
  if (compared) {
    add("libllama t/s", true, [](const BenchRow& row) {
      return row.libllama ? spread(row.libllama->tokens_per_second) : "";
    });
    add("ratio [95 %]", true,
        [](const BenchRow& row) { return row.libllama ? interval(row.libllama->ratio) : ""; });
  }
  add("GB/s", true, [](const BenchRow& row) {
    const auto moved = row.bytes_per_second();
    return moved ? fmt::format("{:.1f}", *moved / GIGA) : "";
  });
  return columns;
}

std::string check_lines(const std::vector<ExitCheck>& checks) {
  std::string lines;
  for (const ExitCheck& check : checks) {
    lines += fmt::format("exit check, {}, {}: {:.3f} ms, {:.2f} % of a step; with / without {}\n",
                         check.test.name(), to_string(check.confidence), check.milliseconds,
                         100 * check.share, interval(check.ratio));
  }
  return lines;
}

std::string load_lines(const LoadReport& load) {
  const double milliseconds = mean(load.litestage.milliseconds);
  const double peak = mean(load.litestage.peak_bytes);
  if (!load.libllama) {
    return fmt::format("load: {:.0f} ms\npeak memory: {}\n", milliseconds, binary_size(peak));
  }
  return fmt::format(
      "load: {:.0f} ms, libllama {:.0f} ms, ratio {}\npeak memory: {}, libllama {}, ratio {}\n",
      milliseconds, mean(load.libllama->milliseconds),
      interval(paired_ratio(load.litestage.milliseconds, load.libllama->milliseconds)),
      binary_size(peak), binary_size(mean(load.libllama->peak_bytes)),
      interval(paired_ratio(load.litestage.peak_bytes, load.libllama->peak_bytes)));
}

std::string format_markdown(const BenchReport& report) {
  return format_table(table_of(report), report.rows.size()) +
         fmt::format("\nmemory: {:.1f} GB/s streamed by {} threads\n",
                     report.memory_bandwidth / GIGA, report.threads) +
         load_lines(report.load) + check_lines(report.exit_checks) +
         fmt::format("litestage {}, ggml {}, llama {}\n", LITESTAGE_VERSION, ggml_version(),
                     llama_version());
}

}  // namespace

std::optional<double> BenchRow::bytes_per_second() const {
  if (test.prompt > 0) return std::nullopt;
  const double steps = mean(tokens_per_second) / test.sequences;
  return steps * static_cast<double>(bytes_per_token);
}

std::string format_report(const BenchReport& report, BenchFormat format) {
  if (format == BenchFormat::md) return format_markdown(report);
  std::vector<OrderedJson> rows;
  for (const BenchRow& row : report.rows)
    rows.push_back(row_json(report, row));
  for (const ExitCheck& check : report.exit_checks)
    rows.push_back(check_json(report, check));
  if (format == BenchFormat::csv) return format_csv(rows);
  if (format == BenchFormat::json) return OrderedJson(rows).dump(2) + "\n";
  std::string lines;
  for (const OrderedJson& row : rows)
    lines += row.dump() + "\n";
  return lines;
}

}  // namespace litestage::app
