#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace litestage {

/// Colours, type, tables and the parts of charts that all pages share; follows the reader's light
/// or dark scheme. It is in every page.
extern const std::string_view PAGE_CSS;

/// A page of HTML that needs nothing beside itself.
struct HtmlPage {
  std::string title = {};  ///< as people read it; it is escaped
  std::string body = {};   ///< markup, inside <main>
  std::vector<std::string_view> styles = {};
  std::string_view script = {};  ///< run at the end of the page; may be empty
  bool asks_server = false;      ///< the script may ask the server that the page comes from
};

/// The whole page. Its content security policy lets nothing be loaded from anywhere, asks no server
/// but, where the page says so, its own, and runs that one script alone, known by its hash: markup
/// that slipped in would not run.
std::string html_page(const HtmlPage& page);

/// A part that scrolls by itself where it is wider than the page, with the keyboard too.
/// @param label what is in it, said to those who cannot see it
std::string html_scrolling(std::string_view label, std::string_view content);

}  // namespace litestage
