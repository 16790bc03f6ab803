#include "serve/page.h"

#include <string_view>

#include "base/html_page.h"

namespace litestage {

// Embedded from the files of these names.
extern const std::string_view PAGE_HTML;
extern const std::string_view PAGE_STYLE_CSS;
extern const std::string_view PAGE_STREAM_JS;
extern const std::string_view PAGE_VIEW_JS;
extern const std::string_view PAGE_FORM_JS;

namespace serve {

const std::string& stages_page() {
  static const std::string PAGE = [] {
    std::string script;
    for (const std::string_view part : {PAGE_STREAM_JS, PAGE_VIEW_JS, PAGE_FORM_JS})
      script += part;
    return html_page({.title = "litestage",
                      .body = std::string(PAGE_HTML),
                      .styles = {PAGE_STYLE_CSS},
                      .script = script,
                      .asks_server = true});
  }();
  return PAGE;
}

}  // namespace serve
}  // namespace litestage
