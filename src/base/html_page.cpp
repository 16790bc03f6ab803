#include "base/html_page.h"

#include <openssl/evp.h>

#include <array>

#include <fmt/format.h>

#include "base/html.h"

namespace litestage {
namespace {

/// A script's name in a content security policy: its SHA-256 in base 64.
std::string policy_hash(std::string_view script) {
  std::array<unsigned char, 32> digest{};
  unsigned int size = 0;
  EVP_Digest(script.data(), script.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::array<unsigned char, 48> text{};  // 44 characters and an end
  EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(size));
  return fmt::format("'sha256-{}'", reinterpret_cast<const char*>(text.data()));
}

}  // namespace

std::string html_page(const HtmlPage& page) {
  std::string style(PAGE_CSS);
  for (const std::string_view part : page.styles)
    style += part;
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; script-src {}; connect-src {}; base-uri 'none'; form-action 'none'\">\n"
      "<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n{}</main>\n{}</body>\n"
      "</html>\n",
      page.script.empty() ? "'none'" : policy_hash(page.script),
      page.asks_server ? "'self'" : "'none'", html_escaped(page.title), style, page.body,
      page.script.empty() ? "" : fmt::format("<script>{}</script>\n", page.script));
}

std::string html_scrolling(std::string_view label, std::string_view content) {
  return fmt::format(
      "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">\n{}</div>\n",
      html_escaped(label), content);
}

}  // namespace litestage
