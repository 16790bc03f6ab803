#include "base/json_field.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/json_read.h"
#include "base/utf8.h"
#include "litestage/error.h"

namespace litestage {
namespace {

std::string fault(const std::function<void()>& function) {
  try {
    function();
  } catch (const UserError& error) {
    return error.what();
  }
  return "none";
}

std::string strict_fault(const std::string& text) {
  return fault([&] { parse_json_strictly(text, "file"); });
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i)
    all += text;
  return all;
}

TEST(StrictJson, ReadsWhatIsFine) {
  EXPECT_EQ(parse_json_strictly("{\"a\": [1, {\"a\": 2}], \"b\": null}", "file").dump(),
            "{\"a\":[1,{\"a\":2}],\"b\":null}");
  EXPECT_EQ(strict_fault(repeated("[", 32) + repeated("]", 32)), "none");
}

TEST(StrictJson, NamesThePathOfADoubledKey) {
  EXPECT_EQ(strict_fault("{\"a\": 1, \"a\": 2}"), "file: a: the key stands there twice; keep one");
  EXPECT_EQ(strict_fault("{\"s\": [{\"x\": 0}, [1], {\"d\": {\"f\": 1, \"g\": [], \"f\": 1}}]}"),
            "file: s[2].d.f: the key stands there twice; keep one");
  EXPECT_EQ(strict_fault("[{\"\": 1, \"\": 2}]"),
            "file: [0][\"\"]: the key stands there twice; keep one");
}

TEST(StrictJson, NamesThePathOfANumberThatIsTooLarge) {
  EXPECT_EQ(strict_fault("{\"a\": [0, 1e999]}"), "file: a[1]: the number is too large");
  EXPECT_EQ(strict_fault("-1e999"), "file: the number is too large");
}

TEST(StrictJson, RefusesDeepNesting) {
  EXPECT_NE(strict_fault(repeated("[", 33)).find("is nested deeper than 32 levels"),
            std::string::npos);
  EXPECT_NE(strict_fault(repeated("{\"a\":", 1000000)).find("is nested deeper than 32 levels"),
            std::string::npos);
}

TEST(StrictJson, NamesLineAndColumnOfWhatIsNoJson) {
  for (const char* text : {"{\"a\": nan}", "{\"a\": NaN}", "{\"a\": -Infinity}"}) {
    EXPECT_TRUE(strict_fault(text).starts_with("file:1:")) << strict_fault(text);
    EXPECT_NE(strict_fault(text).find(": no valid JSON"), std::string::npos);
  }
  EXPECT_TRUE(strict_fault("").starts_with("file:1:1: no valid JSON"));
  EXPECT_TRUE(strict_fault("{}\n{}").starts_with("file:2:1: no valid JSON"))
      << strict_fault("{}\n{}");
  EXPECT_TRUE(strict_fault("\xff").starts_with("file:1:1: invalid UTF-8"));
}

TEST(JsonPath, QuotesKeysThatAreNoWords) {
  EXPECT_EQ(json_path_step("plan-solve_2"), ".plan-solve_2");
  EXPECT_EQ(json_path_step("two words"), "[\"two words\"]");
  EXPECT_EQ(json_path_step("\x1b[31m\x7f"), "[\"\\u001b[31m\\u007f\"]");
  EXPECT_EQ(json_path_step(std::string(100, 'x')), "[\"" + std::string(64, 'x') + "\"...]");
}

class JsonFieldTest : public testing::Test {
 protected:
  nlohmann::json json_ = nlohmann::json::parse(
      R"({"text": "word", "escape": "\u001b[31m", "c1": "\u009b", "int": 7, "float": 7.5, "huge": 1e300,
          "large": 18446744073709551615, "flag": true, "null": null, "list": [1, "x"],
          "object": {"a": 1}})");
  JsonField root_{json_, "file"};

  std::string fault_of(const std::string& key, const std::function<void(const JsonField&)>& get) {
    return fault([&] { get(root_.member(key)); });
  }
};

TEST_F(JsonFieldTest, ReadsValues) {
  EXPECT_EQ(root_.member("text").text(), "word");
  EXPECT_EQ(root_.member("int").integer(7, 7), 7);
  EXPECT_EQ(root_.member("int").number(0, 10), 7);
  EXPECT_EQ(root_.member("float").number(7.5, 7.5), 7.5);
  EXPECT_TRUE(root_.member("flag").flag());
  EXPECT_TRUE(root_.member("null").is_null());
  EXPECT_EQ(root_.member("list").elements().at(1).text(), "x");
  EXPECT_EQ(root_.member("object").members().at(0).second.where(), "file: object.a");
  EXPECT_EQ(root_.member("list").elements().at(1).where(), "file: list[1]");
}

TEST_F(JsonFieldTest, RefusesOtherTypesAndRanges) {
  const auto integer = [](const JsonField& field) { field.integer(0, 6); };
  const auto number = [](const JsonField& field) { field.number(0, 6); };
  const auto text = [](const JsonField& field) { field.text(); };
  EXPECT_EQ(fault_of("int", integer), "file: int: must be a whole number from 0 to 6, but is 7");
  EXPECT_EQ(fault_of("float", integer),
            "file: float: must be a whole number from 0 to 6, but is 7.5");
  EXPECT_EQ(fault_of("large", integer),
            "file: large: must be a whole number from 0 to 6, but is 18446744073709551615");
  EXPECT_EQ(fault_of("huge", number), "file: huge: must be a number from 0 to 6, but is 1e+300");
  EXPECT_EQ(fault_of("text", number), "file: text: must be a number, but is a text");
  EXPECT_EQ(fault_of("null", text), "file: null: must be a text, but is null");
  EXPECT_EQ(fault_of("list", text), "file: list: must be a text, but is a list");
  EXPECT_EQ(fault_of("int", [](const JsonField& field) { field.flag(); }),
            "file: int: must be true or false, but is 7");
  EXPECT_EQ(fault_of("flag", [](const JsonField& field) { field.elements(); }),
            "file: flag: must be a list, but is true or false");
  EXPECT_EQ(fault_of("list", [](const JsonField& field) { field.members(); }),
            "file: list: must be an object, but is a list");
}

TEST_F(JsonFieldTest, RefusesControlCharacters) {
  const auto text = [](const JsonField& field) { field.text(); };
  EXPECT_EQ(fault_of("escape", text), "file: escape: has control characters; take them out");
  EXPECT_EQ(fault_of("c1", text), "file: c1: has control characters; take them out");
}

TEST_F(JsonFieldTest, ExpectsExactlyTheseKeys) {
  EXPECT_EQ(fault([&] { root_.member("object").expect_keys({"a"}); }), "none");
  EXPECT_EQ(fault([&] {
              root_.member("object").expect_keys({"b", "c"});
            }),
            "file: object.a: there is no such key; known here are b, c");
  EXPECT_EQ(fault([&] {
              root_.member("object").expect_keys({"a", "b"});
            }),
            "file: object.b: is missing");
  EXPECT_EQ(fault([&] { root_.member("other"); }), "file: other: is missing");
  EXPECT_EQ(fault([&] { root_.member("list").expect_keys({}); }),
            "file: list: must be an object, but is a list");
}

TEST(JsonFieldOptional, AKeyMayBeMissingOrNull) {
  const nlohmann::json json = {{"none", nullptr}, {"list", {1, 2}}, {"text", "x"}};
  const JsonField root(json, "file");
  EXPECT_FALSE(root.optional_member("other"));
  EXPECT_FALSE(root.optional_member("none"));
  ASSERT_TRUE(root.optional_member("list"));
  EXPECT_EQ(root.optional_member("list")->size(), 2U);
  EXPECT_TRUE(root.optional_member("list")->is_list());
  EXPECT_TRUE(root.optional_member("text")->is_text());
  EXPECT_EQ(fault([&] { root.optional_member("text")->size(); }),
            "file: text: must be a list, but is a text");
  EXPECT_EQ(fault([&] { root.member("text").optional_member("a"); }),
            "file: text: must be an object, but is a text");
}

TEST(Displayable, ChangesNothingButControlsAndBrokenBytes) {
  EXPECT_EQ(displayable("plain ä語😀 \u00A0"), "plain ä語😀 \u00A0");
  EXPECT_EQ(displayable("a\x1b[31m\n\t\x7f"), "a [31m   ");
  EXPECT_EQ(displayable("x\u0080y\u009Fz"), "x y z");
  EXPECT_EQ(displayable("a\xff\xc2"), "a\uFFFD\uFFFD");
  EXPECT_EQ(displayable(""), "");
}

}  // namespace
}  // namespace litestage
