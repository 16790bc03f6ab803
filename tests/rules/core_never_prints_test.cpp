#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "support/paths.h"
#include "support/source_files.h"

// The library never prints and never ends the program: no object of ours asks the linker for a
// function that does. `assert` is allowed (bugs assert), and so is what throwing and noexcept need.
namespace litestage::test {
namespace {

/// Lines of `nm -A -P -u` whose symbol prints, exits or aborts.
std::set<std::string> forbidden_symbols(const std::string& nm_output) {
  static const std::set<std::string> FORBIDDEN = {
      "printf",        "vprintf",    "puts",       "putchar",    "perror",    "__printf_chk",
      "__vprintf_chk", "stdout",     "stderr",     "psignal",    "exit",      "_exit",
      "_Exit",         "quick_exit", "abort",      "syslog",     "vsyslog",   "warn",
      "warnx",         "err",        "errx",       "ggml_abort", "_ZSt4cout", "_ZSt4cerr",
      "_ZSt4clog",     "_ZSt5wcout", "_ZSt5wcerr", "_ZSt5wclog",
  };
  // fmt::print and fmt::vprint, to stdout or to any FILE
  static const std::regex FMT_PRINT(R"(_ZN3fmt2v\d+(5print|6vprint).*)");
  std::set<std::string> found;
  std::istringstream lines(nm_output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string object;
    std::string symbol;
    words >> object >> symbol;
    symbol = symbol.substr(0, symbol.find('@'));
    if (FORBIDDEN.contains(symbol) || std::regex_match(symbol, FMT_PRINT)) {
      found.insert(object + " " + symbol);
    }
  }
  return found;
}

TEST(CoreNeverPrints, LibraryAsksForNoFunctionThatPrintsOrExits) {
  const std::string output =
      command_output(std::string(LITESTAGE_NM) + " -A -P -u '" + library_path().string() + "'");
  ASSERT_NE(output.find("liblitestage.a["), std::string::npos) << "nm listed nothing: " << output;
  for (const std::string& symbol : forbidden_symbols(output))
    ADD_FAILURE() << symbol;
}

TEST(CoreNeverPrints, FindsWhatIsForbidden) {
  const std::string output =
      "lib.a[a.o]: puts U         \n"
      "lib.a[a.o]: fputs U         \n"
      "lib.a[b.o]: abort@GLIBC_2.2.5 U         \n"
      "lib.a[b.o]: __assert_fail U         \n"
      "lib.a[c.o]: _ZSt4cout U         \n"
      "lib.a[c.o]: _ZN3fmt2v96vprintEN5_ U         \n"
      "lib.a[c.o]: _ZN3fmt2v97vformatB5cxx11E U         \n";
  const std::set<std::string> expected = {"lib.a[a.o]: puts", "lib.a[b.o]: abort",
                                          "lib.a[c.o]: _ZN3fmt2v96vprintEN5_",
                                          "lib.a[c.o]: _ZSt4cout"};
  EXPECT_EQ(forbidden_symbols(output), expected);
}

}  // namespace
}  // namespace litestage::test
