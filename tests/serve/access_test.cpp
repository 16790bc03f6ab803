// Who may ask.
#include "serve/access.h"

#include <gtest/gtest.h>

#include "serve/api_error.h"

namespace litestage::serve {
namespace {

int status_of(const auto& check) {
  try {
    check();
  } catch (const ApiError& error) {
    return error.status();
  }
  return 200;
}

Request from(const std::string& host, const std::string& origin = "") {
  Request request;
  request.host = host;
  request.origin = origin;
  return request;
}

TEST(Access, OnLoopbackOnlyThisMachinesNamesAreHosts) {
  const AccessRules rules{"", {}, "127.0.0.1", true};
  for (const char* host :
       {"127.0.0.1", "127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "127.1.2.3"})
    EXPECT_EQ(status_of([&] { check_page(from(host), rules); }), 200) << host;
  for (const char* host : {"", "example.org", "example.org:8080", "localhost.example.org",
                           "127.0.0.1.example.org", "[::2]", "0.0.0.0", "127.evil"})
    EXPECT_EQ(status_of([&] { check_page(from(host), rules); }), 403) << host;
}

TEST(Access, AProxyInFrontMayKeepItsNameOrOurs) {
  const AccessRules rules{"", {"https://example.org"}, "127.0.0.1", true};
  const auto status = [&](const std::string& host, const std::string& origin) {
    return status_of([&] { check_page(from(host, origin), rules); });
  };
  EXPECT_EQ(status("example.org", "https://example.org"), 200);
  EXPECT_EQ(status("Example.org", ""), 200);
  EXPECT_EQ(status("127.0.0.1:8080", "https://example.org"), 200);
  EXPECT_EQ(status("example.com", ""), 403);
  EXPECT_EQ(status("example.org", "https://example.com"), 403);
}

TEST(Access, ElsewhereAnyHostIsFine) {
  const AccessRules rules{"key", {}, "0.0.0.0", false};
  EXPECT_EQ(status_of([&] { check_page(from("example.org"), rules); }), 200);
}

TEST(Access, PagesOfOtherOriginsMayAskOnlyWhenAllowed) {
  const AccessRules rules{"", {"http://localhost:3000"}, "127.0.0.1", true};
  const std::string host = "127.0.0.1:8080";
  const auto status = [&](const std::string& origin) {
    return status_of([&] { check_page(from(host, origin), rules); });
  };
  EXPECT_EQ(status(""), 200);
  EXPECT_EQ(status("http://127.0.0.1:8080"), 200);
  EXPECT_EQ(status("http://localhost:3000"), 200);
  for (const char* origin : {"null", "http://localhost:3001", "http://localhost:3000.example.org",
                             "https://localhost:3000", "http://example.org"})
    EXPECT_EQ(status(origin), 403) << origin;
  EXPECT_EQ(allowed_origin(from(host, "http://localhost:3000"), rules), "http://localhost:3000");
  EXPECT_EQ(allowed_origin(from(host, "http://127.0.0.1:8080"), rules), "");
}

TEST(Access, TheKeyMustBeTheWholeKey) {
  const AccessRules rules{"secret", {}, "127.0.0.1", true};
  const auto status = [&](const std::string& authorization) {
    Request request;
    request.authorization = authorization;
    return status_of([&] { check_key(request, rules); });
  };
  EXPECT_EQ(status("Bearer secret"), 200);
  EXPECT_EQ(status("bearer secret"), 200);
  for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "secret",
                            "Basic secret", "Bearer  secret"})
    EXPECT_EQ(status(wrong), 401) << wrong;
  EXPECT_EQ(status_of([] { check_key({}, AccessRules{}); }), 200);
}

TEST(Access, KnowsLoopbackAddresses) {
  for (const char* host : {"127.0.0.1", "127.8.8.8", "localhost", "::1"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "192.168.1.2", "example.org", ""})
    EXPECT_FALSE(is_loopback(host)) << host;
}

}  // namespace
}  // namespace litestage::serve
