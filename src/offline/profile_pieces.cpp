#include "offline/profile_pieces.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/json_field.h"

namespace litestage {
namespace {

using nlohmann::json;

constexpr double LARGEST_SUM = 1e300;

std::vector<Token> read_tokens(const JsonField& field, int vocabulary) {
  std::vector<Token> tokens;
  for (const JsonField& element : field.elements())
    tokens.push_back(static_cast<Token>(element.integer(0, vocabulary - 1)));
  return tokens;
}

json pair_json(const Estimate& estimate) {
  return {estimate.value, estimate.error};
}
json pair_json(const MeanChange& change) {
  return {change.cosine, change.norm_ratio};
}

void read_pair(const JsonField& field, double& first, double& second) {
  const std::vector<JsonField> numbers = field.elements();
  if (numbers.size() != 2) field.fail("must be two numbers");
  first = numbers[0].number(-LARGEST_SUM, LARGEST_SUM);
  second = numbers[1].number(-LARGEST_SUM, LARGEST_SUM);
}
void read_pair(const JsonField& field, Estimate& estimate) {
  read_pair(field, estimate.value, estimate.error);
}
void read_pair(const JsonField& field, MeanChange& change) {
  read_pair(field, change.cosine, change.norm_ratio);
}

/// [layer][Sublayer] as a list of pairs, attention and FFN in turn.
template <typename T>
json sublayers_json(const std::vector<std::array<T, 2>>& layers) {
  json list = json::array();
  for (const std::array<T, 2>& layer : layers) {
    for (const T& sublayer : layer)
      list.push_back(pair_json(sublayer));
  }
  return list;
}

template <typename T>
std::vector<std::array<T, 2>> read_sublayers(const JsonField& field, const Model& model) {
  const std::vector<JsonField> pairs = field.elements();
  std::vector<std::array<T, 2>> layers(static_cast<std::size_t>(model.layer_count()));
  if (pairs.size() != 2 * layers.size())
    field.fail(fmt::format("has {} sublayers, not {}", pairs.size(), 2 * layers.size()));
  for (std::size_t i = 0; i < pairs.size(); ++i)
    read_pair(pairs[i], layers[i / 2][i % 2]);
  return layers;
}

json finite(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

}  // namespace

json traces_json(const std::vector<StageTrace>& traces) {
  json list = json::array();
  for (const StageTrace& trace : traces) {
    list.push_back({{"stage", trace.stage},
                    {"question", trace.question},
                    {"context", trace.context},
                    {"fresh", trace.fresh},
                    {"text", trace.text}});
  }
  return list;
}

std::vector<StageTrace> read_traces(const json& value, const std::string& where,
                                    const Model& model) {
  std::vector<StageTrace> traces;
  for (const JsonField& field : JsonField(value, where).elements()) {
    field.expect_keys({"stage", "question", "context", "fresh", "text"});
    StageTrace trace;
    trace.stage = field.member("stage").text();
    trace.question = field.member("question").small_integer(0, 1 << 30);
    trace.context = read_tokens(field.member("context"), model.vocabulary_size());
    if (trace.context.empty()) field.member("context").fail("is empty");
    const auto length = static_cast<std::int64_t>(trace.context.size());
    trace.fresh = field.member("fresh").small_integer(1, length);
    trace.text = read_tokens(field.member("text"), model.vocabulary_size());
    traces.push_back(std::move(trace));
  }
  return traces;
}

json cosines_json(const std::vector<StageCosines>& cosines) {
  json list = json::array();
  for (const StageCosines& stage : cosines) {
    list.push_back({{"stage", stage.stage},
                    {"prefill_tokens", stage.prefill_tokens},
                    {"decode_tokens", stage.decode_tokens},
                    {"prefill", sublayers_json(stage.prefill)},
                    {"decode", sublayers_json(stage.decode)}});
  }
  return list;
}

std::vector<StageCosines> read_cosines(const json& value, const std::string& where,
                                       const Model& model) {
  std::vector<StageCosines> cosines;
  for (const JsonField& field : JsonField(value, where).elements()) {
    field.expect_keys({"stage", "prefill_tokens", "decode_tokens", "prefill", "decode"});
    cosines.push_back({field.member("stage").text(),
                       field.member("prefill_tokens").integer(0, JsonField::LARGEST_COUNT),
                       field.member("decode_tokens").integer(0, JsonField::LARGEST_COUNT),
                       read_sublayers<MeanChange>(field.member("prefill"), model),
                       read_sublayers<MeanChange>(field.member("decode"), model)});
  }
  return cosines;
}

json cost_json(const StageCost& cost) {
  return {{"prefill", pair_json(cost.prefill)},
          {"decode", pair_json(cost.decode)},
          {"prefill_saved", sublayers_json(cost.prefill_saved)},
          {"decode_saved", sublayers_json(cost.decode_saved)}};
}

StageCost read_cost(const json& value, const std::string& where, const Model& model) {
  const JsonField field(value, where);
  field.expect_keys({"prefill", "decode", "prefill_saved", "decode_saved"});
  StageCost cost;
  read_pair(field.member("prefill"), cost.prefill);
  read_pair(field.member("decode"), cost.decode);
  cost.prefill_saved = read_sublayers<Estimate>(field.member("prefill_saved"), model);
  cost.decode_saved = read_sublayers<Estimate>(field.member("decode_saved"), model);
  return cost;
}

json damage_json(const Estimate& damage) {
  return {{"kl", finite(damage.value)}, {"kl_error", finite(damage.error)}};
}

Estimate read_damage(const json& value, const std::string& where) {
  const JsonField field(value, where);
  field.expect_keys({"kl", "kl_error"});
  const auto number = [&](const char* key) {
    return field.member(key).is_null() ? std::numeric_limits<double>::quiet_NaN()
                                       : field.member(key).number(-LARGEST_SUM, LARGEST_SUM);
  };
  return {number("kl"), number("kl_error")};
}

}  // namespace litestage
