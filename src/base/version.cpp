#include "litestage/version.h"

namespace litestage {

std::string_view litestage_version() {
  return LITESTAGE_VERSION;  // from CMakeLists.txt
}

}  // namespace litestage
