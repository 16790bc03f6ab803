#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/exchange.h"

namespace litestage::serve {

/// Who may ask.
struct AccessRules {
  std::string api_key;  ///< empty: no key is asked for
  std::vector<std::string>
      cors_origins;      ///< whose pages may read answers, as "http://localhost:3000"; of a
                         ///< proxy in front of the server too
  std::string host;      ///< address or name the server was told to listen on
  bool loopback = true;  ///< only this machine can reach it
};

/// Whether an address or a name means this machine alone: localhost, 127.*, ::1.
bool is_loopback(std::string_view host);

/// Equal or not, in a time that does not tell where the first difference is.
bool same_secret(std::string_view given, std::string_view secret);

/// Refuses what a browser sends for a page it should not: another `Host` than this machine's names
/// or a rule's origin's (a name that was rebound to 127.0.0.1), or an `Origin` that is neither the
/// server's own nor among the rules'.
/// @throws ApiError (403)
void check_page(const Request& request, const AccessRules& rules);

/// @throws ApiError (401) unless the request carries the key, where one is asked for
void check_key(const Request& request, const AccessRules& rules);

/// The request's origin, when its page may read the answer; else empty.
std::string allowed_origin(const Request& request, const AccessRules& rules);

}  // namespace litestage::serve
