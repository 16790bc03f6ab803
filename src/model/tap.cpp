#include <charconv>
#include <string>

#include <fmt/format.h>

#include "litestage/decoder.h"
#include "litestage/error.h"

namespace litestage {

Tap parse_tap(std::string_view name, int n_layers) {
  if (name == "final_norm") return {TapPoint::final_norm, 0};
  const std::size_t dash = name.find('-');
  const std::string_view point = name.substr(0, dash);
  const std::string_view number =
      dash == std::string_view::npos ? std::string_view{} : name.substr(dash + 1);
  Tap tap{};
  if (point == "layer_in")
    tap.point = TapPoint::layer_in;
  else if (point == "attn_out")
    tap.point = TapPoint::attn_out;
  else if (point == "ffn_out")
    tap.point = TapPoint::ffn_out;
  else
    throw UserError("tap", fmt::format("\"{}\" is no tap", name),
                    "use layer_in-N, attn_out-N, ffn_out-N or final_norm");
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), tap.layer);
  if (error != std::errc{} || end != number.data() + number.size() || tap.layer < 0 ||
      tap.layer >= n_layers) {
    throw UserError("tap", fmt::format("\"{}\" names no layer", name),
                    fmt::format("this model's layers are 0 to {}", n_layers - 1));
  }
  return tap;
}

}  // namespace litestage
