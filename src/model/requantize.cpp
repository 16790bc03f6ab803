#include "model/requantize.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <llama.h>

#include "base/file_beside.h"
#include "litestage/decoder.h"
#include "litestage/error.h"
#include "litestage/model.h"

namespace litestage {
namespace {

/// Types that need an importance matrix, and those for mixtures of experts, are not among them.
constexpr std::array<std::pair<std::string_view, llama_ftype>, 18> TYPES = {{
    {"Q2_K", LLAMA_FTYPE_MOSTLY_Q2_K},
    {"Q3_K_S", LLAMA_FTYPE_MOSTLY_Q3_K_S},
    {"Q3_K_M", LLAMA_FTYPE_MOSTLY_Q3_K_M},
    {"Q3_K_L", LLAMA_FTYPE_MOSTLY_Q3_K_L},
    {"IQ4_XS", LLAMA_FTYPE_MOSTLY_IQ4_XS},
    {"IQ4_NL", LLAMA_FTYPE_MOSTLY_IQ4_NL},
    {"Q4_0", LLAMA_FTYPE_MOSTLY_Q4_0},
    {"Q4_K_S", LLAMA_FTYPE_MOSTLY_Q4_K_S},
    {"Q4_K_M", LLAMA_FTYPE_MOSTLY_Q4_K_M},
    {"Q4_1", LLAMA_FTYPE_MOSTLY_Q4_1},
    {"Q5_0", LLAMA_FTYPE_MOSTLY_Q5_0},
    {"Q5_K_S", LLAMA_FTYPE_MOSTLY_Q5_K_S},
    {"Q5_K_M", LLAMA_FTYPE_MOSTLY_Q5_K_M},
    {"Q5_1", LLAMA_FTYPE_MOSTLY_Q5_1},
    {"Q6_K", LLAMA_FTYPE_MOSTLY_Q6_K},
    {"Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},
    {"BF16", LLAMA_FTYPE_MOSTLY_BF16},
    {"F16", LLAMA_FTYPE_MOSTLY_F16},
}};

std::string upper_case(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return upper;
}

}  // namespace

const std::vector<std::string>& requantize_types() {
  static const std::vector<std::string> NAMES = [] {
    std::vector<std::string> names;
    names.reserve(TYPES.size());
    for (const auto& [name, type] : TYPES)
      names.emplace_back(name);
    return names;
  }();
  return NAMES;
}

std::string requantize_type(std::string_view name, const std::string& where) {
  std::string listed = upper_case(name);
  const std::vector<std::string>& types = requantize_types();
  if (std::find(types.begin(), types.end(), listed) != types.end()) return listed;
  throw UserError(where, fmt::format("there is no weight type \"{}\"", name),
                  fmt::format("use one of {}", fmt::join(types, ", ")));
}

void requantize(const std::filesystem::path& source, std::string_view type,
                const std::filesystem::path& output, int threads) {
  const std::string name = requantize_type(type, output.string());
  // The quantiser trusts its file: nothing that our own loader would refuse may reach it.
  ModelOptions as_it_lies;
  as_it_lies.repack = false;
  Model::load(source, as_it_lies);
  const FileBeside beside(output.string());
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = std::find_if(TYPES.begin(), TYPES.end(), [&](const auto& known) {
                   return known.first == name;
                 })->second;
  params.allow_requantize = true;
  params.nthread = threads > 0 ? threads : default_thread_count();
  if (llama_model_quantize(source.c_str(), beside.path().c_str(), &params) != 0) {
    throw UserError(source.string(),
                    fmt::format("libllama could not write it as {} to {}", name, output.string()),
                    "look at its messages, and check the space left there");
  }
  // Nor does the quantiser notice every write that fails: a file that cannot be loaded is none.
  try {
    Model::load(beside.path(), as_it_lies);
  } catch (const UserError&) {
    beside.fail("the file would be damaged");
  }
  beside.take_its_place();
}

}  // namespace litestage
