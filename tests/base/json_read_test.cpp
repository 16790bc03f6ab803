#include "base/json_read.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json_list.h"
#include "litestage/error.h"

namespace litestage {
namespace {

std::string fault_place(std::string_view text, TextPosition start = {}) {
  try {
    parse_json(text, "file", start);
  } catch (const UserError& error) {
    return error.where();
  }
  return "none";
}

TEST(JsonRead, NamesLineAndColumn) {
  EXPECT_EQ(fault_place("{\"a\": 1}"), "none");
  EXPECT_EQ(fault_place("{\"a\": x}"), "file:1:7");
  EXPECT_EQ(fault_place("{\n  \"a\": 1\n  \"b\": 2}"), "file:3:5");
  EXPECT_EQ(fault_place("{\"\u00E4\u00F6\": x}"), "file:1:8");
  EXPECT_EQ(fault_place("{\"a\": \"\xFF\"}"), "file:1:8");
  EXPECT_EQ(fault_place("[1, }", {7, 3}), "file:7:7");
  EXPECT_EQ(fault_place("1e999"), "file:1:1");
  EXPECT_EQ(fault_place("{\"a\": \"\\ud800\"}"), "file:1:14");
  EXPECT_EQ(fault_place(""), "file:1:1");
}

TEST(JsonList, CutsElementsWithTheirPlaces) {
  const std::string text = "[ {\"a\": \"x,]\\\"\"},\n\n  [1, [2]], 3\n]\n";
  const std::vector<JsonElement> elements = split_json_list(text, "file");
  ASSERT_EQ(elements.size(), 3U);
  EXPECT_EQ(elements[0].text, "{\"a\": \"x,]\\\"\"}");
  EXPECT_EQ(located("f", elements[0].position), "f:1:3");
  EXPECT_EQ(elements[1].text, "[1, [2]]");
  EXPECT_EQ(located("f", elements[1].position), "f:3:3");
  EXPECT_EQ(elements[2].text, "3");
  EXPECT_TRUE(split_json_list(" [ ] ", "file").empty());
}

TEST(JsonList, RefusesABrokenFrame) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{}", "file:1:1"},    {"[1, 2", "file:1:6"}, {"[1,,2]", "file:1:4"}, {"[1,]", "file:1:4"},
      {"[1] 2", "file:1:5"}, {"[\"\\", "file:1:4"}, {"", "file:1:1"},       {"[1\n", "file:2:1"}};
  for (const auto& [text, place] : cases) {
    try {
      split_json_list(text, "file");
      ADD_FAILURE() << text;
    } catch (const UserError& error) {
      EXPECT_EQ(error.where(), place) << text;
    }
  }
}

TEST(JsonList, LinesKeepTheirNumbers) {
  const std::vector<JsonElement> lines = split_lines("one\r\n\n \t\n  two\nthree");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].text, "one");
  EXPECT_EQ(lines[1].text, "two");
  EXPECT_EQ(located("f", lines[1].position), "f:4:3");
  EXPECT_EQ(lines[2].position.line, 5U);
}

}  // namespace
}  // namespace litestage
