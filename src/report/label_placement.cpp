#include "report/label_placement.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace litestage {

double Box::overlap(const Box& other) const {
  const double width = std::min(right, other.right) - std::max(left, other.left);
  const double height = std::min(bottom, other.bottom) - std::max(top, other.top);
  return width > 0 && height > 0 ? width * height : 0;
}

double LabelPlacement::badness(const Box& box) const {
  constexpr double OUTSIDE = 4;
  const double area = (box.right - box.left) * (box.bottom - box.top);
  double sum = OUTSIDE * (area - box.overlap(bounds_));
  for (const Taken& taken : taken_)
    sum += taken.weight * box.overlap(taken.box);
  return sum;
}

Box LabelPlacement::place(double x, double y, double width, double height) {
  constexpr double GAP = 10;  // from a mark's middle
  constexpr double STEP = 6;
  constexpr int MOST_STEPS = 15;           // up or down
  constexpr double DISTANCE_WEIGHT = 0.8;  // an area's unit for one of length: near is better
  Box best;
  double least = std::numeric_limits<double>::infinity();
  for (int step = -MOST_STEPS; step <= MOST_STEPS; ++step) {
    const double shift = step * STEP;
    for (const double left : {x + GAP, x - GAP - width, x - width / 2}) {
      const double top = y - height / 2 + shift;
      const Box box{left, top, left + width, top + height};
      const double bad = badness(box) + DISTANCE_WEIGHT * std::abs(shift);
      if (bad < least) {
        least = bad;
        best = box;
      }
    }
  }
  avoid(best, 2);
  return best;
}

}  // namespace litestage
