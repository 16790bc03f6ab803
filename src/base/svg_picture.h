#pragma once

#include <string>
#include <string_view>

namespace litestage {

/// Writes one inline SVG. Lengths are in the units of its view box; colours are left to the page's
/// classes; every text given is escaped.
class SvgPicture {
 public:
  /// What those get who cannot see the picture.
  struct Label {
    std::string id;           ///< unique in the page, a plain word
    std::string title;        ///< one line
    std::string description;  ///< what is to be seen, and where the numbers are
  };
  enum class Anchor { start, middle, end };

  SvgPicture(double width, double height, const Label& label);

  void line(double x1, double y1, double x2, double y2, std::string_view classes);
  /// @param tooltip shown by the mouse; may be empty
  void rect(double x, double y, double width, double height, std::string_view classes,
            std::string_view tooltip = {});
  void circle(double x, double y, double radius, std::string_view classes = {});
  /// The two ends of an interval with the line between them.
  void vertical_interval(double x, double y1, double y2, std::string_view classes = {});
  void horizontal_interval(double x1, double x2, double y, std::string_view classes = {});
  /// @param data as the attribute d has it
  void path(std::string_view data, std::string_view classes = {});
  void text(double x, double y, std::string_view content, std::string_view classes,
            Anchor anchor = Anchor::start);
  /// What follows belongs together, up to `end_group`.
  void begin_group(std::string_view classes, std::string_view tooltip);
  void end_group();

  /// The whole element; nothing may be added after it.
  std::string finish();

 private:
  std::string svg_;
};

}  // namespace litestage
