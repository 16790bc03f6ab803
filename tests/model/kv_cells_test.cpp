#include "model/kv_cache.h"

#include <gtest/gtest.h>

namespace litestage::test {
namespace {

SublayerMask scaled_mask(int text) {
  SublayerMask mask;
  mask.skip(Sublayer::ffn, 1, 1.0F + static_cast<float>(text));
  return mask;
}

TEST(KvCells, NumbersOfMasksThatNoCellHasAreGivenAway) {
  KvCells cells(8);
  const KvCells::MaskId full = cells.intern({});
  cells.append(0, 5, full);
  cells.fork(0, 1, 1);
  for (int text = 1; text <= 100; ++text) {
    const KvCells::MaskId id = cells.intern(scaled_mask(text));
    EXPECT_NE(id, full);
    EXPECT_EQ(cells.intern(scaled_mask(text)), id);
    EXPECT_EQ(cells.mask(id), scaled_mask(text));
    cells.append(1, 7, id);
    cells.truncate(1, 1);
  }
  EXPECT_EQ(cells.mask_count(), 2);
  EXPECT_EQ(cells.intern({}), full) << "a shared cell has it";
  EXPECT_EQ(cells.mask(cells.cell(cells.sequence(0)[0]).mask), SublayerMask{});
  cells.remove(0);
  cells.remove(1);
  EXPECT_EQ(cells.intern(scaled_mask(1)), full) << "now nothing has it";
}

}  // namespace
}  // namespace litestage::test
