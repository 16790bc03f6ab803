#include "fetch/catalogue.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "litestage/error.h"
#include "support/temporary.h"

namespace litestage::fetch {
namespace {

using Json = nlohmann::json;

const std::string SHIPPED = LITESTAGE_SOURCE_DIR "/catalogue/models.json";

TEST(Catalogue, TheShippedOneHasTheFourModels) {
  const auto models = read_catalogue(SHIPPED);
  ASSERT_EQ(models.size(), 4U);
  EXPECT_EQ(models[0].name, "smollm2-135m");
  EXPECT_EQ(models[1].name, "qwen2.5-coder-0.5b");
  EXPECT_EQ(models[2].name, "qwen2.5-coder-1.5b");
  EXPECT_EQ(models[3].name, "gemma3-270m");
  EXPECT_EQ(models[2].bytes, 1'117'320'768U);
  for (const auto& model : models) {
    ASSERT_EQ(model.sources.size(), 2U) << model.name;
    EXPECT_TRUE(std::holds_alternative<HubSource>(model.sources[0])) << model.name;
    EXPECT_TRUE(std::holds_alternative<PackageSource>(model.sources[1])) << model.name;
  }
}

TEST(Catalogue, TheVariableNamesAnother) {
  const test::ScopedVariable variable("LITESTAGE_CATALOGUE", "elsewhere.json");
  EXPECT_EQ(catalogue_path(), "elsewhere.json");
}

class CatalogueFaults : public testing::Test {
 protected:
  std::string complaint(const std::string& text) const {
    test::write_file(path_, text);
    try {
      read_catalogue(path_);
    } catch (const UserError& error) {
      return error.what();
    }
    return "accepted";
  }

  /// The complaint about the shipped catalogue after one change.
  std::string complaint_with(const std::string& pointer, const Json& value) const {
    Json json = Json::parse(test::read_file(SHIPPED));
    json[Json::json_pointer(pointer)] = value;
    return complaint(json.dump());
  }

  const test::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "models.json";
};

TEST_F(CatalogueFaults, NameFileAndLine) {
  EXPECT_EQ(complaint("{\n  \"schema\": 1,\n  oops\n}"),
            path_.string() + ":3: is not JSON from here on");
  EXPECT_NE(complaint("").find(":1: "), std::string::npos);
  EXPECT_EQ(complaint("[]"), path_.string() + ": must be an object");
}

TEST_F(CatalogueFaults, NameTheKey) {
  const std::vector<std::tuple<std::string, Json, std::string>> cases = {
      {"/schema", 2, "schema must be 1"},
      {"/models", Json::array(), "models must be a list"},
      {"/models/1/name", "smollm2-135m", "models[1].name is there twice"},
      {"/models/1/naem", "x", "models[1].naem is not a key"},
      {"/models/1/bytes", -5, "models[1].bytes must be a whole number"},
      {"/models/1/bytes", 1.5, "models[1].bytes must be a whole number"},
      {"/models/1/sha256", "abc", "models[1].sha256 must be 64"},
      {"/models/1/file", "../x.gguf", "models[1].file is no plain name"},
      {"/models/1/file", "a/x.gguf", "models[1].file is no plain name"},
      {"/models/1/licence", "", "models[1].licence must be a string"},
      {"/models/1/sources/0/kind", "ftp", "models[1].sources[0].kind must be"},
      {"/models/1/sources/0/repository", "a", "models[1].sources[0].repository must be USER/REPO"},
      {"/models/1/sources/0/file", "../../x", "models[1].sources[0].file is no plain name"},
      {"/models/1/sources/1/package", "--index-url=x", "models[1].sources[1].package is no plain"},
      {"/models/1/sources/1/package", "no-number", "models[1].sources[1].package must hold {n}"},
      {"/models/1/sources/1/parts", 7, "models[1].sources[1].parts does not fit"},
  };
  for (const auto& [pointer, value, expected] : cases) {
    const std::string found = complaint_with(pointer, value);
    EXPECT_NE(found.find(expected), std::string::npos) << pointer << ": " << found;
    EXPECT_TRUE(found.starts_with(path_.string())) << found;
  }
}

TEST_F(CatalogueFaults, AMissingFileIsNamed) {
  EXPECT_THROW(read_catalogue(folder_ / "none.json"), UserError);
  EXPECT_THROW(read_catalogue(folder_.path()), UserError);
}

}  // namespace
}  // namespace litestage::fetch
