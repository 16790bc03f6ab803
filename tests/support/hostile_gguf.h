#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "support/temporary.h"
#include "support/tiny_model.h"

namespace litestage::test {

/// The smallest model of a family: there is much to be done to each of its bytes.
TinyOptions smallest(const std::string& family = "llama");

/// Files that are not what they say. Whatever they hold, loading them works or throws UserError: no
/// crash, no abort, no hang.
class HostileGguf : public testing::Test {
 protected:
  /// Loads, and when that works computes two tokens. @return the error, or nothing when it worked
  std::optional<std::string> fault() const;
  std::optional<std::string> fault(std::span<const std::uint8_t> bytes) const;
  std::optional<std::string> fault(const TinyModel& model) const;

  /// Must be refused, in one clear sentence that names the file and, if asked, something else.
  void expect_refused(const std::optional<std::string>& message, const std::string& what,
                      const std::string& naming = {}) const;

  std::filesystem::path file() const { return folder_ / "hostile.gguf"; }

  TemporaryFolder folder_;
};

}  // namespace litestage::test
