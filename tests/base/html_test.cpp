#include "base/html.h"

#include <gtest/gtest.h>

namespace litestage {
namespace {

TEST(HtmlEscaped, NothingThatHtmlReadsIsLeft) {
  EXPECT_EQ(html_escaped("<b class=\"x\">R&D's</b>"),
            "&lt;b class=&quot;x&quot;&gt;R&amp;D&#39;s&lt;/b&gt;");
  EXPECT_EQ(html_escaped("plain – text"), "plain – text");
}

TEST(HtmlEscaped, ControlsAndBrokenBytesAreReplaced) {
  EXPECT_EQ(html_escaped("a\nb\x1b["), "a b [");
  EXPECT_EQ(html_escaped("a\xff"), "a\xef\xbf\xbd");
}

}  // namespace
}  // namespace litestage
