#include "support/hostile_gguf.h"

#include <vector>

#include "litestage/decoder.h"
#include "litestage/error.h"

namespace litestage::test {

TinyOptions smallest(const std::string& family) {
  return {.family = family,
          .layers = 1,
          .embd = 32,
          .heads = 2,
          .kv_heads = 1,
          .ffn = 32,
          .vocab = 300,
          .context = 64};
}

std::optional<std::string> HostileGguf::fault() const {
  try {
    const auto model = Model::load(file());
    DecoderOptions options;
    options.context = 16;
    options.threads = 1;
    Decoder decoder(model, options);
    decoder.forward(0, std::vector<Token>{1, 2});
    return std::nullopt;
  } catch (const UserError& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "not a UserError: " << error.what();
    return error.what();
  }
}

std::optional<std::string> HostileGguf::fault(std::span<const std::uint8_t> bytes) const {
  write_bytes(file(), bytes);
  return fault();
}

std::optional<std::string> HostileGguf::fault(const TinyModel& model) const {
  return fault(model.bytes());
}

void HostileGguf::expect_refused(const std::optional<std::string>& message, const std::string& what,
                                 const std::string& naming) const {
  ASSERT_TRUE(message.has_value()) << what << " was accepted";
  EXPECT_NE(message->find(file().filename().string()), std::string::npos)
      << what << ": " << *message;
  EXPECT_NE(message->find(naming), std::string::npos) << what << ": " << *message;
  EXPECT_EQ(message->find('\n'), std::string::npos) << what << ": " << *message;
  EXPECT_LT(message->size(), 500U) << what << ": " << *message;
}

}  // namespace litestage::test
