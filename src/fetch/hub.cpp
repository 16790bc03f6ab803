#include "fetch/hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "litestage/error.h"

namespace litestage::fetch {
namespace {

using Json = nlohmann::json;

/// Where models are when MODEL_ENDPOINT does not say otherwise.
constexpr std::string_view DEFAULT_ENDPOINT = "https://huggingface.co";
constexpr std::string_view PREFERRED = "Q4_K_M";
constexpr std::string_view SECOND_CHOICE = "Q8_0";

std::string endpoint() {
  std::string address = environment("MODEL_ENDPOINT");
  if (address.empty()) address = DEFAULT_ENDPOINT;
  while (address.ends_with('/'))
    address.pop_back();
  return address;
}

HttpRequest request_for(const std::string& path) {
  return {endpoint() + path, environment("HF_TOKEN")};
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return std::toupper(c); });
  return result;
}

bool is_name(std::string_view text) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
  };
  return !text.empty() && std::ranges::all_of(text, allowed) && text.front() != '.' &&
         text.front() != '-';
}

/// A path that stays below the folder it is appended to.
bool is_safe_path(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.find('\\') != std::string_view::npos)
    return false;
  if (std::ranges::any_of(path, [](unsigned char c) { return c < ' '; })) return false;
  return ("/" + std::string(path) + "/").find("/../") == std::string::npos;
}

/// The file's name without folders and `.gguf`, upper-case.
std::string stem(std::string_view file) {
  const auto slash = file.rfind('/');
  std::string name = upper(slash == std::string_view::npos ? file : file.substr(slash + 1));
  if (name.ends_with(".GGUF")) name.resize(name.size() - 5);
  return name;
}

/// A stem without the "-00001-of-00003" of a file in several pieces.
std::string_view without_piece(std::string_view name) {
  constexpr std::size_t NUMBER = std::string_view("-00001").size();
  const auto of = name.find("-OF-0");
  return of == std::string_view::npos || of < NUMBER ? name : name.substr(0, of - NUMBER);
}

bool is_model(std::string_view file) {
  return upper(file).ends_with(".GGUF") && !stem(file).starts_with("MMPROJ") &&
         stem(file).find("IMATRIX") == std::string::npos;
}

bool has_quantisation(std::string_view file, const std::string& wanted) {
  const std::string whole_name = stem(file);
  const std::string_view name = without_piece(whole_name);
  if (!name.ends_with(wanted)) return false;
  if (name.size() == wanted.size()) return true;
  const char before = name[name.size() - wanted.size() - 1];
  return before == '-' || before == '.' || before == '_';
}

bool is_split(std::string_view file) {
  const std::string name = stem(file);
  return without_piece(name).size() < name.size();
}

}  // namespace

HubReference parse_hub_reference(std::string_view text) {
  const auto colon = text.find(':');
  const auto repository = text.substr(0, colon);
  const auto slash = repository.find('/');
  const auto quantisation = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (slash == std::string_view::npos || !is_name(repository.substr(0, slash)) ||
      !is_name(repository.substr(slash + 1)) ||
      (colon != std::string_view::npos && !is_name(quantisation)))
    throw UserError(std::string(text), "is no repository of the model hub",
                    "write USER/REPO or USER/REPO:QUANT");
  return {std::string(repository), upper(quantisation)};
}

std::vector<HubFile> parse_hub_listing(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_array()) throw SourceFailure("the hub's list of files cannot be read");
  std::vector<HubFile> files;
  for (const Json& entry : json) {
    if (!entry.is_object() || !entry.contains("path") || !entry["path"].is_string()) continue;
    HubFile file;
    file.path = entry["path"].get<std::string>();
    if (!is_model(file.path)) continue;
    if (!is_safe_path(file.path))
      throw SourceFailure(
          fmt::format("the hub names a file outside the repository: {}", file.path));
    if (entry.contains("size") && entry["size"].is_number_unsigned())
      file.bytes = entry["size"].get<std::uint64_t>();
    // The content of a large file has its SHA-256 as its name.
    if (entry.contains("lfs") && entry["lfs"].is_object())
      if (const Json oid = entry["lfs"].value("oid", Json()); oid.is_string())
        file.sha256 = oid.get<std::string>();
    if (file.sha256.size() != 64) file.sha256.clear();
    files.push_back(std::move(file));
  }
  std::ranges::sort(files, {}, &HubFile::path);
  return files;
}

std::optional<std::size_t> choose_file(const std::vector<std::string>& files,
                                       const std::string& quantisation) {
  const auto first = [&](std::string_view wanted) -> std::optional<std::size_t> {
    const auto found = std::ranges::find_if(files, [&](const std::string& file) {
      return is_model(file) && has_quantisation(file, std::string(wanted));
    });
    if (found == files.end()) return {};
    return static_cast<std::size_t>(found - files.begin());
  };
  if (!quantisation.empty()) return first(quantisation);
  for (const auto wanted : std::array{PREFERRED, SECOND_CHOICE})
    if (const auto index = first(wanted)) return index;
  const auto any = std::ranges::find_if(files, is_model);
  if (any == files.end()) return {};
  return static_cast<std::size_t>(any - files.begin());
}

std::string quantisation_of(std::string_view file) {
  const std::string name = stem(file);
  const std::string token = name.substr(name.find_last_of("-.") + 1);
  const bool is_float = token == "F16" || token == "BF16" || token == "F32";
  const auto q = token.find('Q');
  const bool is_quantised = q <= 1 && q + 1 < token.size() && std::isdigit(token[q + 1]) != 0;
  return is_float || is_quantised ? token : "";
}

std::optional<HubFile> find_hub_file(const HubReference& reference,
                                     const std::function<bool()>& go_on) {
  const auto text = get_text(
      request_for("/api/models/" + reference.repository + "/tree/main?recursive=true"), go_on);
  if (!text) return {};
  const auto files = parse_hub_listing(*text);
  std::vector<std::string> paths;
  std::ranges::transform(files, std::back_inserter(paths), &HubFile::path);
  const auto index = choose_file(paths, reference.quantisation);
  if (!index && files.empty()) throw SourceFailure("the repository has no GGUF file");
  if (!index)
    throw SourceFailure(fmt::format("the repository has no {} among its files: {}",
                                    reference.quantisation, fmt::join(paths, ", ")));
  if (is_split(paths[*index]))
    throw SourceFailure(fmt::format(
        "{} is one of several pieces, and split files are not supported", paths[*index]));
  return files[*index];
}

HttpRequest hub_file_request(const std::string& repository, const std::string& file) {
  return request_for("/" + repository + "/resolve/main/" + escape_path(file));
}

}  // namespace litestage::fetch
