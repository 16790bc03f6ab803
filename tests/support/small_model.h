#pragma once

#include <gtest/gtest.h>

#include <filesystem>

namespace litestage::test {

/// A suite on the small real model: skipped where that is missing, failed where it may not be.
class SmallModel : public testing::Test {
 protected:
  void SetUp() override;

  std::filesystem::path file_;  ///< of the model
};

}  // namespace litestage::test
