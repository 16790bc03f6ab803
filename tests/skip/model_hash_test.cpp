#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <set>

#include "litestage/error.h"
#include "litestage/model.h"
#include "litestage/plan.h"
#include "support/decoder_tools.h"
#include "support/temporary.h"
#include "support/tiny_model.h"

namespace litestage::test {
namespace {

std::string hash_of(const TinyModel& model) {
  return model_hash(*LoadedTiny(model).model());
}

std::string hash_after(const std::function<void(TinyModel&)>& edit) {
  TinyModel model(TinyOptions{});
  edit(model);
  return hash_of(model);
}

TEST(ModelHash, IsTheSameForTheSameFileAnywhere) {
  const TinyModel model(TinyOptions{});
  EXPECT_EQ(hash_of(model), hash_of(model));
  EXPECT_EQ(hash_of(model).size(), 64U);
}

TEST(ModelHash, TellsModelsApart) {
  TinyOptions other_weights;
  other_weights.seed = 2;
  const std::set<std::string> hashes = {
      hash_after([](TinyModel&) {}), hash_of(TinyModel(other_weights)),
      hash_after([](TinyModel& model) { model.silence_ffn(1); }), hash_after([](TinyModel& model) {
        gguf_set_val_str(model.keys(), "general.name", "another name");
      }),
      hash_after([](TinyModel& model) {
        gguf_set_val_f32(model.keys(), model.key("rope.freq_base").c_str(), 20000.0F);
      })};
  EXPECT_EQ(hashes.size(), 5U);
}

TEST(ModelHash, SeesTheBeginningOfEveryTensor) {
  const TinyModel whole(TinyOptions{});
  std::set<std::string> hashes = {hash_of(whole)};
  for (const TinyModel::Tensor& tensor : whole.tensors()) {
    hashes.insert(hash_after([&](TinyModel& model) { model.tensor(tensor.name).data[1] ^= 1U; }));
  }
  EXPECT_EQ(hashes.size(), whole.tensors().size() + 1);
}

TEST(ModelHash, AFileThatIsGoneIsTheUsersToMend) {
  std::shared_ptr<const Model> model;
  {
    const LoadedTiny tiny(TinyOptions{});
    model = tiny.model();
  }
  EXPECT_THROW(model_hash(*model), UserError);
}

}  // namespace
}  // namespace litestage::test
