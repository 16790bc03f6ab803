// Files whose tensors are missing, strange or no numbers.
#include <limits>
#include <string>

#include "litestage/error.h"
#include "litestage/model.h"
#include "support/hostile_gguf.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

TEST_F(HostileGguf, EveryTensorIsMissed) {
  for (const TinyCase& tiny : plain_cases()) {
    const TinyModel whole(tiny.options);
    for (const TinyModel::Tensor& tensor : whole.tensors()) {
      // Without a head the embedding is the head; without fused projections split ones are asked
      // for.
      const bool fused = tensor.name.ends_with("attn_qkv.weight");
      const bool optional = tensor.name == "output.weight" || tensor.name.ends_with("bias");
      const std::string naming = fused ? "attn_q.weight" : tensor.name;
      TinyModel model(tiny.options);
      model.drop(tensor.name);
      const auto message = fault(model);
      if (!optional) expect_refused(message, tiny.name + " without " + tensor.name, naming);
      TinyModel renamed(tiny.options);
      renamed.rename(tensor.name, "strange." + tensor.name);
      expect_refused(fault(renamed), tiny.name + " with a strange " + tensor.name, naming);
    }
  }
}

TEST_F(HostileGguf, EveryTensorOfAnotherShapeOrTypeIsRefused) {
  for (const TinyCase& tiny : plain_cases()) {
    const TinyModel whole(tiny.options);
    for (const TinyModel::Tensor& tensor : whole.tensors()) {
      for (const std::int64_t growth : {-1, 1, 32}) {
        TinyModel model(tiny.options);
        auto shape = tensor.shape;
        shape.back() += growth;
        model.reshape(tensor.name, shape);
        expect_refused(fault(model), tiny.name + ": " + tensor.name + " of another shape");
      }
      TinyModel deep(tiny.options);
      auto shape = tensor.shape;
      shape.resize(3, 1);
      shape.push_back(2);
      deep.reshape(tensor.name, shape);
      expect_refused(fault(deep), tiny.name + ": " + tensor.name + " of four dimensions");

      TinyModel integers(tiny.options);
      integers.tensor(tensor.name).type = GGML_TYPE_I32;
      expect_refused(fault(integers), tiny.name + ": " + tensor.name + " of integers");
    }
  }
}

TEST_F(HostileGguf, ATensorWeDoNotKnowIsNamed) {
  TinyModel model(smallest());
  model.add_zeros("blk.0.attn_gate.weight", {32, 32});
  expect_refused(fault(model), "an unknown tensor", "blk.0.attn_gate.weight");
}

TEST_F(HostileGguf, AVocabularyOnlyFileIsRefused) {
  const TinyModel whole(smallest());
  TinyModel model(smallest());
  for (const TinyModel::Tensor& tensor : whole.tensors())
    model.drop(tensor.name);
  expect_refused(fault(model), "no tensors");
}

TEST_F(HostileGguf, WeightsThatAreNotNumbers) {
  TinyModel model(smallest());
  model.multiply("blk.0.ffn_up.weight", std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(fault(model), std::nullopt);
  ModelOptions options;
  options.check_tensors = true;
  try {
    Model::load(file(), options);
    FAIL() << "NaN weights were accepted";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("blk.0.ffn_up.weight"), std::string::npos)
        << error.what();
  }
  TinyModel(smallest()).write(file());
  EXPECT_NO_THROW(Model::load(file(), options));
}

}  // namespace
}  // namespace litestage::test
