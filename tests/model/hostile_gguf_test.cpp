// Files cut short, with bits flipped, or with numbers that no model has.
#include "support/hostile_gguf.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "litestage/error.h"
#include "litestage/model.h"
#include "support/gguf_fields.h"

namespace litestage::test {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t STRIDE =
    9;  // of the exhaustive loops: the sanitizer makes them ten times as slow
#else
constexpr std::size_t STRIDE = 1;
#endif

TEST_F(HostileGguf, TheUntouchedFileWorks) {
  EXPECT_EQ(fault(TinyModel(smallest())), std::nullopt);
}

TEST_F(HostileGguf, NoGgufAtAll) {
  expect_refused(fault(), "missing");
  expect_refused(fault(std::vector<std::uint8_t>{}), "empty");
  const std::string text(5000, 'a');
  expect_refused(fault(std::vector<std::uint8_t>(text.begin(), text.end())), "text");
  const std::string magic = "GGUF";
  expect_refused(fault(std::vector<std::uint8_t>(magic.begin(), magic.end())), "magic alone");
  std::filesystem::remove(file());
  std::filesystem::create_directory(file());
  expect_refused(fault(), "a folder");
}

TEST_F(HostileGguf, TruncatedAnywhere) {
  const auto bytes = TinyModel(smallest()).bytes();
  const auto fields = gguf_fields(bytes);
  const std::size_t header = fields.back().at + fields.back().size;
  std::vector<std::size_t> lengths;
  for (std::size_t length = 0; length < header; length += STRIDE)
    lengths.push_back(length);
  for (std::size_t length = header; length + 32 < bytes.size(); length += 97 * STRIDE)
    lengths.push_back(length);
  for (std::size_t cut = 32; cut < 200; ++cut)
    lengths.push_back(bytes.size() - cut);
  for (const std::size_t length : lengths) {
    expect_refused(fault(std::span(bytes).first(length)), "cut after " + std::to_string(length));
    if (HasFatalFailure()) return;
  }
}

TEST_F(HostileGguf, EveryByteOfTheHeaderWithABitFlipped) {
  const auto original = TinyModel(smallest()).bytes();
  const auto fields = gguf_fields(original);
  const std::size_t header = fields.back().at + fields.back().size;
  std::size_t worked = 0;
  for (std::size_t at = 0; at < header; at += STRIDE) {
    auto bytes = original;
    bytes[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    if (!fault(bytes)) ++worked;
  }
  EXPECT_LT(worked, header / STRIDE);
}

// Everything but the vocabulary's texts, all eight bits of each byte.
TEST_F(HostileGguf, EveryBitOfNumbersAndNames) {
  const auto original = TinyModel(smallest()).bytes();
  for (const GgufField& field : gguf_fields(original)) {
    if (field.what.ends_with(": element") || field.what.find(": element: ") != std::string::npos)
      continue;
    for (std::size_t bit = 0; bit < 8 * field.size; bit += STRIDE) {
      auto bytes = original;
      bytes[field.at + bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      fault(bytes);
    }
  }
}

TEST_F(HostileGguf, EveryFieldWithExtremeValues) {
  const std::uint64_t extremes[] = {0,
                                    1,
                                    3,
                                    0x7F,
                                    0x8000,
                                    0x7FC00000,  // a NaN
                                    0x7FFFFFFF,
                                    0x80000000,
                                    0xFFFFFFFF,
                                    std::uint64_t{1} << 40,
                                    std::uint64_t{1} << 60,
                                    (std::uint64_t{1} << 61) + 1,
                                    std::uint64_t{1} << 63,
                                    ~std::uint64_t{0} - 31,
                                    ~std::uint64_t{0}};
  for (const std::string family : {"llama", "gemma3", "phi3", "granite"}) {
    const auto original = TinyModel(smallest(family)).bytes();
    std::size_t elements = 0;
    for (const GgufField& field : gguf_fields(original)) {
      if (field.kind == GgufField::Kind::text) continue;
      // The elements of arrays are alike, and so are the vocabularies of the families.
      const bool element =
          field.what.find(": element") != std::string::npos && field.kind != GgufField::Kind::type;
      if (element && (family != "llama" || ++elements % 25 != 0)) continue;
      for (const std::uint64_t value : extremes) {
        auto bytes = original;
        std::memcpy(bytes.data() + field.at, &value,
                    std::min<std::size_t>(field.size, sizeof value));
        fault(bytes);
      }
    }
  }
}

// Two fields that only together make sense of a lie: sizes whose product overflows.
TEST_F(HostileGguf, DimensionsThatOverflowTogether) {
  const auto original = TinyModel(smallest()).bytes();
  const auto fields = gguf_fields(original);
  for (const std::uint64_t size :
       {std::uint64_t{1} << 31, std::uint64_t{1} << 32, std::uint64_t{3} << 31,
        (std::uint64_t{1} << 32) + 32, std::uint64_t{1} << 62}) {
    for (std::size_t i = 0; i + 1 < fields.size(); ++i) {
      if (fields[i].kind != GgufField::Kind::dimension ||
          fields[i + 1].kind != GgufField::Kind::dimension)
        continue;
      auto bytes = original;
      std::memcpy(bytes.data() + fields[i].at, &size, 8);
      std::memcpy(bytes.data() + fields[i + 1].at, &size, 8);
      expect_refused(fault(bytes), fields[i].what);
    }
  }
}

TEST_F(HostileGguf, LoadingTellsItsProgressAndCanBeStopped) {
  TinyModel(smallest()).write(file());
  std::vector<float> told;
  ModelOptions options;
  options.progress = [&](float part) {
    told.push_back(part);
    return true;
  };
  Model::load(file(), options);
  ASSERT_FALSE(told.empty());
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_GE(told.front(), 0.0F);
  EXPECT_FLOAT_EQ(told.back(), 1.0F);
  options.progress = [](float) { return false; };
  EXPECT_THROW(Model::load(file(), options), UserError);
}

}  // namespace
}  // namespace litestage::test
