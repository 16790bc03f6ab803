#include "base/sha256.h"

#include <gtest/gtest.h>

namespace litestage {
namespace {

TEST(Sha256, KnowsTheStandardsExamples) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, TakesBytesAsTheyComeAndStartsAnew) {
  Sha256 sha;
  for (int round = 0; round < 2; ++round) {
    for (const std::string_view part : {"a", "", "bc"})
      sha.update(std::as_bytes(std::span(part)));
    EXPECT_EQ(sha.finish(), sha256_hex("abc"));
  }
}

}  // namespace
}  // namespace litestage
