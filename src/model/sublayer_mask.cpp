#include "litestage/sublayer_mask.h"

#include <cassert>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "litestage/error.h"

namespace litestage {
namespace {

constexpr const char* FORM =
    "write items like a3 (attention of layer 3) or f10-12 (FFN of layers 10 to 12)";

int scale_key(Sublayer sublayer, int layer) {
  return 2 * layer + (sublayer == Sublayer::ffn ? 1 : 0);
}

/// Reads one number off the front of `text`; false when there is none.
template <typename Number>
bool read_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

struct Item {
  Sublayer sublayer = Sublayer::attention;
  int first = 0;
  int last = 0;
  float scale = 1.0F;
};

Item parse_item(std::string_view item, std::string_view where) {
  const auto fail = [&] {
    return UserError(std::string(where), fmt::format("\"{}\" names no sublayer", item), FORM);
  };
  std::string_view rest = item;
  if (rest.empty() || (rest[0] != 'a' && rest[0] != 'f')) throw fail();
  Item parsed;
  parsed.sublayer = rest[0] == 'a' ? Sublayer::attention : Sublayer::ffn;
  rest.remove_prefix(1);
  if (rest.empty() || rest[0] < '0' || rest[0] > '9' || !read_number(rest, parsed.first))
    throw fail();
  parsed.last = parsed.first;
  if (!rest.empty() && rest[0] == '-') {
    rest.remove_prefix(1);
    if (!read_number(rest, parsed.last) || parsed.last < parsed.first) throw fail();
  }
  if (!rest.empty() && rest[0] == '*') {
    rest.remove_prefix(1);
    if (!read_number(rest, parsed.scale) || !std::isfinite(parsed.scale) || parsed.scale <= 0.0F)
      throw fail();
  }
  if (!rest.empty()) throw fail();
  return parsed;
}

}  // namespace

SublayerMask SublayerMask::parse(std::string_view text, int n_layers, std::string_view where) {
  SublayerMask mask;
  if (text.empty() || text == "none") return mask;
  while (true) {
    const std::size_t comma = text.find(',');
    const Item item = parse_item(text.substr(0, comma), where);
    if (item.last >= n_layers) {
      throw UserError(std::string(where), fmt::format("there is no layer {}", item.last),
                      fmt::format("this model's layers are 0 to {}", n_layers - 1));
    }
    for (int layer = item.first; layer <= item.last; ++layer)
      mask.skip(item.sublayer, layer, item.scale);
    if (comma == std::string_view::npos) return mask;
    text.remove_prefix(comma + 1);
  }
}

void SublayerMask::skip(Sublayer sublayer, int layer, float scale) {
  assert(layer >= 0 && layer < MAX_LAYERS);
  (sublayer == Sublayer::attention ? attention_ : ffn_).set(static_cast<std::size_t>(layer));
  if (scale == 1.0F) {
    scales_.erase(scale_key(sublayer, layer));
  } else {
    scales_[scale_key(sublayer, layer)] = scale;
  }
}

void SublayerMask::keep(Sublayer sublayer, int layer) {
  assert(layer >= 0 && layer < MAX_LAYERS);
  (sublayer == Sublayer::attention ? attention_ : ffn_).reset(static_cast<std::size_t>(layer));
  scales_.erase(scale_key(sublayer, layer));
}

bool SublayerMask::skips(Sublayer sublayer, int layer) const {
  return (sublayer == Sublayer::attention ? attention_ : ffn_)
      .test(static_cast<std::size_t>(layer));
}

float SublayerMask::scale(Sublayer sublayer, int layer) const {
  const auto found = scales_.find(scale_key(sublayer, layer));
  return found == scales_.end() ? 1.0F : found->second;
}

int SublayerMask::last_layer() const {
  for (int layer = MAX_LAYERS - 1; layer >= 0; --layer) {
    if (skips(Sublayer::attention, layer) || skips(Sublayer::ffn, layer)) return layer;
  }
  return -1;
}

std::string SublayerMask::to_string() const {
  std::string text;
  for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
    for (int layer = 0; layer < MAX_LAYERS; ++layer) {
      if (!skips(sublayer, layer)) continue;
      const float factor = scale(sublayer, layer);
      int last = layer;
      while (last + 1 < MAX_LAYERS && skips(sublayer, last + 1) &&
             scale(sublayer, last + 1) == factor)
        ++last;
      if (!text.empty()) text += ',';
      text += fmt::format("{}{}", sublayer == Sublayer::attention ? 'a' : 'f', layer);
      if (last > layer) text += fmt::format("-{}", last);
      if (factor != 1.0F) text += fmt::format("*{}", factor);
      layer = last;
    }
  }
  return text.empty() ? "none" : text;
}

}  // namespace litestage
