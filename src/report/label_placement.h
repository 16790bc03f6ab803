#pragma once

#include <vector>

namespace litestage {

/// A rectangle in a picture.
struct Box {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;

  /// Area that both cover.
  double overlap(const Box& other) const;
};

/// Finds places for the names of marks in a scatter plot, one after the other, such that they cover
/// neither marks nor each other where that can be had.
class LabelPlacement {
 public:
  /// @param bounds that names stay in
  explicit LabelPlacement(const Box& bounds) : bounds_(bounds) {}

  /// Something that names should not cover.
  /// @param weight how bad covering it is; 1 for a mark
  void avoid(const Box& box, double weight) { taken_.push_back({box, weight}); }
  /// The best place for a name of this size beside a mark; it is taken from then on.
  Box place(double x, double y, double width, double height);

 private:
  struct Taken {
    Box box;
    double weight;
  };
  double badness(const Box& box) const;

  Box bounds_;
  std::vector<Taken> taken_;
};

}  // namespace litestage
