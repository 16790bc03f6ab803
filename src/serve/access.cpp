#include "serve/access.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "serve/api_error.h"

namespace litestage::serve {
namespace {

constexpr int UNAUTHORIZED = 401;
constexpr int FORBIDDEN = 403;

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Digest digest_of(std::string_view text) {
  Digest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return std::tolower(c); });
  return result;
}

/// A Host header without its port and without an address' brackets.
std::string name_of(std::string_view host) {
  if (host.starts_with('[')) return lower(host.substr(1, host.find(']') - 1));
  return lower(host.substr(0, host.find(':')));
}

/// Whether an origin of the rules has this name: a proxy in front may keep the name it was asked
/// by.
bool is_of_known_origin(const std::string& name, const AccessRules& rules) {
  return std::ranges::any_of(rules.cors_origins, [&](const std::string& origin) {
    const auto scheme = origin.find("://");
    return scheme != std::string::npos &&
           name_of(std::string_view(origin).substr(scheme + 3)) == name;
  });
}

}  // namespace

bool is_loopback(std::string_view host) {
  const auto is_number = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") && std::ranges::all_of(host, is_number));
}

bool same_secret(std::string_view given, std::string_view secret) {
  const Digest left = digest_of(given);  // of one length, whatever was given
  const Digest right = digest_of(secret);
  return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

void check_page(const Request& request, const AccessRules& rules) {
  const std::string name = name_of(request.host);
  if (rules.loopback && !is_loopback(name) && name != lower(rules.host) &&
      !is_of_known_origin(name, rules)) {
    throw ApiError(FORBIDDEN, "permission_error", "host_not_allowed",
                   "the Host header names another machine than this one; --cors-origin with that "
                   "name allows it, for a proxy in front");
  }
  const bool own = request.origin == "http://" + request.host;
  if (!request.origin.empty() && !own && allowed_origin(request, rules).empty()) {
    throw ApiError(FORBIDDEN, "permission_error", "origin_not_allowed",
                   "pages of this origin may not ask; --cors-origin allows one");
  }
}

void check_key(const Request& request, const AccessRules& rules) {
  constexpr std::string_view SCHEME = "bearer ";
  if (rules.api_key.empty()) return;
  const std::string& given = request.authorization;
  const bool bearer = lower(given).starts_with(SCHEME);
  if (bearer && same_secret(std::string_view(given).substr(SCHEME.size()), rules.api_key)) return;
  throw ApiError(UNAUTHORIZED, "authentication_error", "invalid_api_key",
                 "the API key is missing or wrong: send it as 'Authorization: Bearer KEY'");
}

std::string allowed_origin(const Request& request, const AccessRules& rules) {
  const bool known =
      std::ranges::find(rules.cors_origins, request.origin) != rules.cors_origins.end();
  return known ? request.origin : "";
}

}  // namespace litestage::serve
