#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "litestage/question.h"
#include "support/temporary.h"

namespace litestage::test {

/// A verb as its users call it, in a folder with a tiny random model and the program of
/// calibration.h.
class VerbTest : public testing::Test {
 protected:
  /// Writes tiny.gguf and three.toml.
  VerbTest();

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  /// The call must end with exit code 2, nothing on stdout, and this part of a sentence on stderr.
  static void expect_refused(const std::vector<std::string>& words, const std::string& part);

  TemporaryFolder folder_;
};

/// The last line in a file of stderr must be this one, and no other may speak for the program.
/// @param line with its end
void expect_last_words(const std::string& line, const std::string& errors);

/// A question set, one a line; ids are left out.
std::string question_lines(const std::vector<Question>& questions);

}  // namespace litestage::test
