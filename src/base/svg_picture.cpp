#include "base/svg_picture.h"

#include <fmt/format.h>

#include "base/html.h"

namespace litestage {
namespace {

std::string class_attribute(std::string_view classes) {
  return classes.empty() ? "" : fmt::format(" class=\"{}\"", classes);
}

// Pixels for a unit of the view box: below, letters cannot be read (a picture scrolls then); above,
// a picture looks coarse.
constexpr double LEAST_SCALE = 0.85;
constexpr double MOST_SCALE = 1.25;

constexpr double HALF_CAP = 4;  // of the strokes at the ends of an interval

}  // namespace

SvgPicture::SvgPicture(double width, double height, const Label& label)
    : svg_(fmt::format("<svg viewBox=\"0 0 {0:g} {1:g}\" style=\"min-width:{2:g}px;"
                       "max-width:{3:g}px\" role=\"img\" aria-labelledby=\"{4}-title "
                       "{4}-desc\">\n<title id=\"{4}-title\">{5}</title>\n"
                       "<desc id=\"{4}-desc\">{6}</desc>\n",
                       width, height, LEAST_SCALE * width, MOST_SCALE * width, label.id,
                       html_escaped(label.title), html_escaped(label.description))) {}

void SvgPicture::line(double x1, double y1, double x2, double y2, std::string_view classes) {
  svg_ += fmt::format("<line{} x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                      class_attribute(classes), x1, y1, x2, y2);
}

void SvgPicture::rect(double x, double y, double width, double height, std::string_view classes,
                      std::string_view tooltip) {
  svg_ += fmt::format(
      "<rect{} x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\">{}</rect>\n",
      class_attribute(classes), x, y, width, height,
      tooltip.empty() ? "" : fmt::format("<title>{}</title>", html_escaped(tooltip)));
}

void SvgPicture::circle(double x, double y, double radius, std::string_view classes) {
  svg_ += fmt::format("<circle{} cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:g}\"/>\n",
                      class_attribute(classes), x, y, radius);
}

void SvgPicture::vertical_interval(double x, double y1, double y2, std::string_view classes) {
  path(fmt::format("M{0:.1f} {1:.1f}V{2:.1f}M{3:.1f} {1:.1f}h{4:g}M{3:.1f} {2:.1f}h{4:g}", x, y1,
                   y2, x - HALF_CAP, 2 * HALF_CAP),
       classes);
}

void SvgPicture::horizontal_interval(double x1, double x2, double y, std::string_view classes) {
  path(fmt::format("M{0:.1f} {2:.1f}H{1:.1f}M{0:.1f} {3:.1f}v{4:g}M{1:.1f} {3:.1f}v{4:g}", x1, x2,
                   y, y - HALF_CAP, 2 * HALF_CAP),
       classes);
}

void SvgPicture::path(std::string_view data, std::string_view classes) {
  svg_ += fmt::format("<path{} d=\"{}\"/>\n", class_attribute(classes), data);
}

void SvgPicture::text(double x, double y, std::string_view content, std::string_view classes,
                      Anchor anchor) {
  constexpr std::string_view ANCHORS[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
  svg_ += fmt::format("<text{}{} x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", class_attribute(classes),
                      ANCHORS[static_cast<std::size_t>(anchor)], x, y, html_escaped(content));
}

void SvgPicture::begin_group(std::string_view classes, std::string_view tooltip) {
  svg_ += fmt::format("<g{}><title>{}</title>\n", class_attribute(classes), html_escaped(tooltip));
}

void SvgPicture::end_group() {
  svg_ += "</g>\n";
}

std::string SvgPicture::finish() {
  return svg_ += "</svg>\n";
}

}  // namespace litestage
