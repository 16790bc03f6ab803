// What memory a program may still take, in a container too.
#include "app/system_memory.h"

#include <gtest/gtest.h>

namespace litestage::app {
namespace {

constexpr const char* MEMINFO = "MemTotal:  8000000 kB\nMemAvailable:    2000 kB\nCached: 1 kB\n";
constexpr std::size_t AVAILABLE = 2000 * 1024;

TEST(AvailableMemory, IsWhatTheSystemSaysWhereNothingLimitsIt) {
  EXPECT_EQ(available_memory({MEMINFO, "", "", ""}), AVAILABLE);
  EXPECT_EQ(available_memory({MEMINFO, "max\n", "1000\n", ""}), AVAILABLE);
}

TEST(AvailableMemory, IsNoMoreThanTheControlGroupLeaves) {
  EXPECT_EQ(available_memory({MEMINFO, "5000\n", "1000\n", ""}), 4000U);
  EXPECT_EQ(available_memory({MEMINFO, "99000000000\n", "1000\n", ""}), AVAILABLE);
  EXPECT_EQ(available_memory({MEMINFO, "1000\n", "5000\n", ""}), 0U);
}

TEST(AvailableMemory, FilesThatAGroupKeepsInMemoryMakeRoom) {
  const std::string usage = "anon 700\ninactive_file 600\nactive_file 200\n";
  EXPECT_EQ(available_memory({MEMINFO, "2000\n", "1500\n", usage}), 1300U);
}

TEST(AvailableMemory, IsNotKnownWhereNothingSaysIt) {
  EXPECT_FALSE(available_memory({"", "", "", ""}));
  EXPECT_FALSE(available_memory({"MemAvailable: many", "", "", ""}));
  EXPECT_EQ(available_memory({"", "5000", "1000", ""}), 4000U);
}

TEST(AvailableMemory, OfThisMachineIsKnown) {
  EXPECT_GT(available_memory().value_or(0), 0U);
  EXPECT_GE(total_memory().value_or(0), available_memory().value_or(0));
}

}  // namespace
}  // namespace litestage::app
