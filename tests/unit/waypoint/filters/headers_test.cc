#include "waypoint/filters/headers.h"

#include <doctest/doctest.h>

namespace aquifer::waypoint {
namespace {

using How = l7::HeaderChange::How;
using Kind = l7::PathRewrite::Kind;

l7::PathMatch prefix(std::string text) {
  l7::PathMatch match;
  match.kind = l7::PathMatch::Kind::segment_prefix;
  match.text = std::move(text);
  return match;
}

l7::PathRewrite rewrite(Kind kind, std::string text) {
  l7::PathRewrite made;
  made.kind = kind;
  made.text = std::move(text);
  return made;
}

TEST_CASE("fields are set, added and removed in the order of the changes") {
  HeaderFields fields{{"A", "1"}, {"b", "2"}, {"b", "3"}};
  change_headers(
      {{How::set, "a", "x"}, {How::add, "a", "y"}, {How::remove, "B", ""}, {How::add, "b", "z"}},
      fields);
  CHECK(fields.count("a") == 2);
  CHECK(fields.find("a") == "x");
  CHECK(fields.count("b") == 1);
  CHECK(fields.find("b") == "z");
}

// Gateway API, HTTPPathModifier: the table of its documentation.
TEST_CASE("a prefix is replaced by segments, with one slash at the seam") {
  struct Row {
    std::string path, match, with, expected;
  };
  for (const Row& row :
       {Row{"/foo/bar", "/foo", "/xyz", "/xyz/bar"}, Row{"/foo/bar", "/foo", "/xyz/", "/xyz/bar"},
        Row{"/foo", "/foo", "/xyz", "/xyz"}, Row{"/foo/", "/foo", "/xyz", "/xyz/"},
        Row{"/foo/bar", "/foo", "", "/bar"}, Row{"/foo/", "/foo", "", "/"},
        Row{"/foo", "/foo", "", "/"}, Row{"/foo/", "/foo", "/", "/"}, Row{"/foo", "/foo", "/", "/"},
        Row{"/foo?q=/foo", "/foo", "/x", "/x?q=/foo"}, Row{"/a", "", "/x", "/x/a"}}) {
    CAPTURE(row.path);
    CAPTURE(row.with);
    CHECK(rewritten_path(rewrite(Kind::prefix, row.with), prefix(row.match), row.path) ==
          row.expected);
  }
  CHECK(rewritten_path(rewrite(Kind::full, "/x"), prefix("/a"), "/a/b?c") == "/x?c");
}

std::string location(const l7::Redirect& redirect, std::string authority) {
  http::RequestHead request;
  request.scheme = "http";
  request.authority = std::move(authority);
  request.path = "/a?b";
  return std::string(
      redirect_reply(redirect, prefix("/"), request).fields.find("location").value_or(""));
}

TEST_CASE("a redirect keeps what it does not name, and writes no port that the scheme implies") {
  l7::Redirect redirect;
  CHECK(location(redirect, "a.test:8080") == "http://a.test:8080/a?b");
  CHECK(location(redirect, "a.test") == "http://a.test/a?b");
  CHECK(location(redirect, "[::1]:8080") == "http://[::1]:8080/a?b");
  redirect.scheme = "https";
  CHECK(location(redirect, "a.test:8080") == "https://a.test/a?b");
  redirect.port = 8443;
  CHECK(location(redirect, "a.test") == "https://a.test:8443/a?b");
  redirect.port = 443;
  redirect.authority = "b.test";
  CHECK(location(redirect, "a.test") == "https://b.test/a?b");
}

}  // namespace
}  // namespace aquifer::waypoint
