// docs/plan.schema.json and docs/plan.md say what the writer writes: no key more, none less.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

#include "litestage/plan.h"
#include "support/paths.h"
#include "support/sample_plans.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

Json read_schema() {
  return Json::parse(read_file(source_dir() / "docs/plan.schema.json"));
}

/// Walks a value and its schema side by side.
class SchemaWalk {
 public:
  explicit SchemaWalk(const Json& root) : root_(root) {}

  void walk(const Json& value, const Json& schema, const std::string& path) {
    const Json& resolved = resolve(schema, value);
    if (value.is_object()) {
      walk_object(value, resolved, path);
    } else if (value.is_array()) {
      EXPECT_EQ(resolved.value("type", Json()), "array") << path;
      for (const Json& element : value)
        walk(element, resolved.at("items"), path + "[]");
    } else {
      check_leaf(value, resolved, path);
    }
  }

  /// Paths of all properties that some value had.
  const std::set<std::string>& seen() const { return seen_; }

  /// Paths of all properties that the schema describes.
  std::set<std::string> described() const {
    std::set<std::string> all;
    describe(root_, "", all);
    return all;
  }

 private:
  const Json& follow(const Json& schema) const {
    if (!schema.contains("$ref")) return schema;
    return root_.at(Json::json_pointer(schema.at("$ref").get<std::string>().substr(1)));
  }

  /// What a value is described by: references followed, and of several kinds the one that has its
  /// type.
  const Json& resolve(const Json& schema, const Json& value) const {
    const Json& followed = follow(schema);
    if (!followed.contains("anyOf")) return followed;
    for (const Json& choice : followed.at("anyOf")) {
      const Json& kind = follow(choice);
      if (value.is_object() == (kind.value("type", "") == "object")) return kind;
    }
    ADD_FAILURE() << "no kind fits " << value.dump();
    return followed;
  }

  void walk_object(const Json& value, const Json& schema, const std::string& path) {
    EXPECT_EQ(schema.value("type", Json()), "object") << path;
    EXPECT_EQ(schema.value("additionalProperties", Json()), false) << path;
    if (schema.contains("patternProperties")) {
      const auto pattern = schema.at("patternProperties").begin();
      for (const auto& [key, element] : value.items()) {
        EXPECT_TRUE(std::regex_match(key, std::regex(pattern.key()))) << path << "." << key;
        walk(element, pattern.value(), path + ".*");
      }
      return;
    }
    const Json& properties = schema.at("properties");
    std::set<std::string> required;
    for (const Json& key : schema.at("required"))
      required.insert(key);
    for (const auto& [key, element] : value.items()) {
      ASSERT_TRUE(properties.contains(key)) << path << "." << key << " is not described";
      // Plans from before heads were noted lack it.
      EXPECT_EQ(required.contains(key), path + "." + key != ".origin.head") << path << "." << key;
      seen_.insert(path + "." + key);
      walk(element, properties.at(key), path + "." + key);
    }
    EXPECT_EQ(required.size(), properties.size() - properties.count("head")) << path;
  }

  static void check_leaf(const Json& value, const Json& schema, const std::string& path) {
    if (schema.contains("const")) {
      EXPECT_EQ(value, schema.at("const")) << path;
      return;
    }
    if (schema.contains("enum")) {
      const Json& words = schema.at("enum");
      EXPECT_NE(std::find(words.begin(), words.end(), value), words.end()) << path << value;
      return;
    }
    const std::string type = value.is_null()             ? "null"
                             : value.is_string()         ? "string"
                             : value.is_boolean()        ? "boolean"
                             : value.is_number_integer() ? "integer"
                                                         : "number";
    const std::string allowed = schema.at("type").dump();
    const bool fits = allowed.find('"' + type + '"') != std::string::npos ||
                      (type == "integer" && allowed.find("\"number\"") != std::string::npos);
    EXPECT_TRUE(fits) << path << ": " << value << " is not " << allowed;
    if (value.is_number()) {
      EXPECT_LE(schema.value("minimum", -1e300), value.get<double>()) << path;
      EXPECT_GE(schema.value("maximum", 1e300), value.get<double>()) << path;
    }
    if (schema.contains("pattern")) {
      EXPECT_TRUE(std::regex_match(value.get<std::string>(),
                                   std::regex(schema.at("pattern").get<std::string>())))
          << path << ": " << value;
    }
  }

  void describe(const Json& schema, const std::string& path, std::set<std::string>& all) const {
    const Json& followed = follow(schema);
    const Json choices = followed.value("anyOf", Json::array());
    const Json patterns = followed.value("patternProperties", Json::object());
    const Json properties = followed.value("properties", Json::object());
    for (const Json& choice : choices)
      describe(choice, path, all);
    for (const auto& [pattern, element] : patterns.items())
      describe(element, path + ".*", all);
    if (followed.contains("items")) describe(followed.at("items"), path + "[]", all);
    for (const auto& [key, element] : properties.items()) {
      all.insert(path + "." + key);
      describe(element, path + "." + key, all);
    }
  }

  const Json& root_;
  std::set<std::string> seen_;
};

TEST(PlanSchema, DescribesEveryKeyThatIsWrittenAndNoOther) {
  const Json schema = read_schema();
  SchemaWalk walk(schema);
  Plan plan = sample_plan();
  walk.walk(Json::parse(to_json(plan)), schema, "");
  EXPECT_EQ(walk.seen(), walk.described());
  plan.accuracy.reset();  // the other kind of these
  plan.latency.reset();
  walk.walk(Json::parse(to_json(plan)), schema, "");
}

TEST(PlanSchema, FindsAKeyThatIsNotDescribed) {
  Json schema = read_schema();
  schema["properties"]["notes"] = {{"type", "string"}};
  SchemaWalk walk(schema);
  EXPECT_TRUE(walk.described().contains(".notes"));
  EXPECT_TRUE(walk.described().contains(".stages[].exit.window"));
  EXPECT_TRUE(walk.described().contains(".stages[].decode.*.scale"));
}

TEST(PlanSchema, TheDocumentedPlanIsReadAndWrittenAsItStandsThere) {
  const std::string page = read_file(source_dir() / "docs/plan.md");
  const std::string fence = "```json\n";
  const std::size_t begin = page.find(fence) + fence.size();
  const std::string block = page.substr(begin, page.find("```", begin) - begin);
  EXPECT_EQ(to_json(parse_plan(block, "plan.md")), block);
}

TEST(PlanSchema, ThePageNamesEveryKey) {
  const std::string page = read_file(source_dir() / "docs/plan.md");
  const std::string words = page.substr(page.rfind("```"));  // behind the example
  const Json schema = read_schema();
  for (const std::string& path : SchemaWalk(schema).described()) {
    const std::string key = path.substr(path.rfind('.') + 1);
    EXPECT_NE(words.find('`' + key + '`'), std::string::npos) << path;
  }
}

}  // namespace
}  // namespace litestage::test
