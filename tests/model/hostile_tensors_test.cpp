// Files whose tensors are missing, strange or no numbers.
#include <limits>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "litestage/model.h"
#include "support/hostile_gguf.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

std::vector<std::string> names(const TinyModel& model) {
  std::vector<std::string> names;
  for (const TinyModel::Tensor& tensor : model.tensors())
    names.push_back(tensor.name);
  return names;
}

TEST_F(HostileGguf, EveryTensorIsMissed) {
  for (const TinyCase& tiny : plain_cases()) {
    TinyModel model(tiny.options);
    for (const std::string& name : names(model)) {
      // Without a head the embedding is the head; without fused projections split ones are asked
      // for.
      const bool fused = name.ends_with("attn_qkv.weight");
      const bool optional = name == "output.weight" || name.ends_with("bias");
      const std::string naming = fused ? "attn_q.weight" : name;
      const TinyModel::Tensor whole = model.tensor(name);
      model.drop(name);
      const auto message = fault(model);
      if (!optional) expect_refused(message, tiny.name + " without " + name, naming);
      model.put(whole);
      model.rename(name, "strange." + name);
      expect_refused(fault(model), tiny.name + " with a strange " + name, naming);
      model.rename("strange." + name, name);
    }
  }
}

TEST_F(HostileGguf, EveryTensorOfAnotherShapeOrTypeIsRefused) {
  for (const TinyCase& tiny : plain_cases()) {
    TinyModel model(tiny.options);
    for (const std::string& name : names(model)) {
      const TinyModel::Tensor whole = model.tensor(name);
      const auto expect_refused_as = [&](const std::string& what) {
        expect_refused(fault(model), tiny.name + ": " + name + what);
        model.tensor(name) = whole;
      };
      for (const std::int64_t growth : {-1, 1, 32}) {
        auto shape = whole.shape;
        shape.back() += growth;
        model.reshape(name, shape);
        expect_refused_as(" of another shape");
      }
      auto shape = whole.shape;
      shape.resize(3, 1);
      shape.push_back(2);
      model.reshape(name, shape);
      expect_refused_as(" of four dimensions");

      model.tensor(name).type = GGML_TYPE_I32;
      expect_refused_as(" of integers");
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
