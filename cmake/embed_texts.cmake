# Text files that pages are made of become constants of the program, so that it needs no files beside it:
# src/base/page.css is litestage::PAGE_CSS, declared by the header that offers it.
function(litestage_embed_texts target)
  foreach(path IN LISTS ARGN)
    get_filename_component(name ${path} NAME)
    string(MAKE_C_IDENTIFIER ${name} constant)
    string(TOUPPER ${constant} constant)
    file(READ ${path} text)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    file(CONFIGURE OUTPUT embedded/${name}.cpp @ONLY CONTENT
"#include <string_view>

namespace litestage {
extern const std::string_view @constant@;
const std::string_view @constant@ = R\"embedded(@text@)embedded\";
}  // namespace litestage
")
    target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/embedded/${name}.cpp)
  endforeach()
endfunction()
