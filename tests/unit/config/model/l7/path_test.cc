// Paths in one spelling: what is the same to servers is the same to routes and policies.
#include "config/model/l7/path.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace aquifer::l7 {
namespace {

std::string normal(std::string_view target) {
  const auto path = normalise_path(target);
  return path ? *path : std::string("refused");
}

TEST_CASE("paths are normalised as RFC 3986 section 6.2.2 says") {
  struct Case {
    std::string_view target;
    std::string_view wanted;
  };
  // Section 5.4's examples, as far as they are absolute paths, among them.
  const std::vector<Case> cases = {
      {"/", "/"},
      {"/a", "/a"},
      {"/a/b/c/./../../g", "/a/g"},
      {"/mid/content=5/../6", "/mid/6"},
      {"/b/c/d/../g", "/b/c/g"},
      {"/b/c/./g", "/b/c/g"},
      {"/b/c/.", "/b/c/"},
      {"/b/c/..", "/b/"},
      {"/b/c/../", "/b/"},
      {"/b/c/g.", "/b/c/g."},
      {"/b/c/.g", "/b/c/.g"},
      {"/b/c/g..", "/b/c/g.."},
      {"/b/c/..g", "/b/c/..g"},
      {"/b/c/./g/.", "/b/c/g/"},
      {"/b/c/g;x=1/../y", "/b/c/y"},
      {"/.", "/"},
      {"/./", "/"},
      {"/a/.well-known/x", "/a/.well-known/x"},
      // Unreserved characters are never escaped, and hexadecimal digits are capitals.
      {"/%61%62c", "/abc"},
      {"/%7euser", "/~user"},
      {"/a%2db%5fc", "/a-b_c"},
      {"/caf%c3%a9", "/caf%C3%A9"},
      {"/%e2%98%83", "/%E2%98%83"},
      // What is reserved stays escaped: it means something else than itself.
      {"/a%2fb", "/a%2Fb"},
      {"/a%3Fb", "/a%3Fb"},
      {"/a%5cb", "/a%5Cb"},
      {"/a%25b", "/a%25b"},
      {"/a%2541", "/a%2541"},
      // Dot segments hide behind escapes and backslashes.
      {"/public/%2e%2e/admin", "/admin"},
      {"/public/%2E./admin", "/admin"},
      {"/public/.%2e/admin", "/admin"},
      {"/public\\..\\admin", "/admin"},
      {"/public\\admin", "/public/admin"},
      {"/a/%2e/b", "/a/b"},
      // Empty segments mean something to many servers, and stay.
      {"//a", "//a"},
      {"/a//b", "/a//b"},
      {"/a//../b", "/a/b"},
      // The query is not a path.
      {"/a?b=/../c", "/a?b=/../c"},
      {"/a/../b?%2e%2e/%c3", "/b?%2e%2e/%c3"},
      {"/a?", "/a?"},
      {"/a?b?c", "/a?b?c"},
      {"*", "*"},
  };
  for (const Case& one : cases) {
    INFO(one.target);
    CHECK(normal(one.target) == one.wanted);
  }
}

TEST_CASE("what could be read in two ways, or leads outside, is refused") {
  for (const std::string_view target : {"",
                                        "a",
                                        "a/b",
                                        "?a",
                                        "http://host/a",
                                        "/..",
                                        "/../a",
                                        "/a/../../b",
                                        "/%2e%2e/a",
                                        "/a/%2e%2e/%2e%2e/b",
                                        "/\\..\\..\\a",
                                        "/a#b",
                                        "/a?b#c",
                                        "/%",
                                        "/%4",
                                        "/%zz",
                                        "/%u0061",
                                        "/a%00",
                                        "/a%0a",
                                        "/a%0D%0Ab",
                                        "/a%7f",
                                        "/a%09",
                                        "**",
                                        "/a?x%0a\n"}) {
    INFO(target);
    CHECK(normal(target) == "refused");
  }
  CHECK(normal(std::string_view("/a\0b", 4)) == "refused");
  CHECK(normal("/a\tb") == "refused");
  CHECK(normal("/a\r\n") == "refused");
}

TEST_CASE("a normal path stays as it is, and the quick look at it never says yes to another") {
  for (const std::string_view target : {"/", "/a/b?c=%2e", "/a//b", "/~x", "/a/../b", "/%41",
                                        "/a\\b", "/a%2Fb", "*", "/..", "/a#b"}) {
    INFO(target);
    const std::string once = normal(target);
    if (is_normal_path(target)) CHECK(once == target);
    if (once == "refused") continue;
    CHECK(normal(once) == once);
  }
}

TEST_CASE("names and values of queries are decoded, and broken escapes stay") {
  CHECK(decode_query("a+b%20c") == "a b c");
  CHECK(decode_query("%41%") == "A%");
  CHECK(decode_query("%4") == "%4");
  CHECK(decode_query("%zz") == "%zz");
  CHECK(decode_query("") == "");
}

}  // namespace
}  // namespace aquifer::l7
