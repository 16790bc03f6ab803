#include "support/small_model.h"

#include "support/real_models.h"

namespace litestage::test {

void SmallModel::SetUp() {
  if (const auto found = find_real_model(SMALL_MODEL)) {
    file_ = *found;
  } else if (real_models_are_required()) {
    FAIL() << SMALL_MODEL << " is missing: run `litestage pull smollm2-135m`";
  } else {
    GTEST_SKIP() << SMALL_MODEL << " is missing";
  }
}

}  // namespace litestage::test
