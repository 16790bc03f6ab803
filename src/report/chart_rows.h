#pragma once

#include <string>
#include <string_view>

#include "base/chart_axis.h"
#include "base/svg_picture.h"

namespace litestage {

/// A name in so few characters that it fits into a chart; the middle is left out of longer ones.
std::string short_label(const std::string& label);

/// Horizontal bars above an axis, each under a line with its name at the left and its value at the
/// right: names of any length find their place, also on narrow screens.
class ChartRows {
 public:
  struct Layout {
    std::size_t rows = 0;
    double width = 640;
    double low = 0;  ///< of the values
    double high = 1;
    std::string unit = {};  ///< of the values, under the axis
  };
  ChartRows(const Layout& layout, const SvgPicture::Label& label);

  /// Opens the next row.
  void begin_row(const std::string& name, const std::string& value);
  /// A part of the row's bar.
  void bar(double from, double to, std::string_view classes, const std::string& tooltip);
  /// An interval over the row's bar.
  void interval(double low, double high);
  /// A mark across the row's bar.
  void mark(double value);
  /// A vertical line through all rows.
  void reference(double value);

  std::string finish() { return svg_.finish(); }

 private:
  /// Of the row's bar.
  double top() const;

  Layout layout_;
  ChartAxis axis_;
  int row_ = -1;
  SvgPicture svg_;
};

}  // namespace litestage
