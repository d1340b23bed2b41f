// Paths that backends see, and places that redirects lead to.
#include "config/model/l7/rewrite.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace aquifer::l7 {
namespace {

PathMatch matched(PathMatch::Kind kind, std::string_view text) {
  PathMatch match;
  match.kind = kind;
  match.text = text;
  return match;
}

std::string rewritten(PathMatch::Kind kind, std::string_view text, PathRewrite::Kind how,
                      std::string_view with, std::string_view path) {
  PathRewrite rewrite;
  rewrite.kind = how;
  rewrite.text = with;
  return rewritten_path(rewrite, matched(kind, text), path);
}

// Gateway API, HTTPPathModifier.replacePrefixMatch; its texts are kept without a slash at the end.
TEST_CASE("a prefix of segments is replaced as the table of HTTPPathModifier says") {
  const auto replace = [](std::string_view prefix, std::string_view with, std::string_view path) {
    return rewritten(PathMatch::Kind::segment_prefix, prefix, PathRewrite::Kind::prefix, with,
                     path);
  };
  CHECK(replace("/foo", "/xyz", "/foo/bar") == "/xyz/bar");
  CHECK(replace("/foo", "/xyz", "/foo") == "/xyz");
  CHECK(replace("/foo", "/xyz", "/foo/") == "/xyz/");
  CHECK(replace("/foo", "", "/foo/bar") == "/bar");
  CHECK(replace("/foo", "", "/foo/") == "/");
  CHECK(replace("/foo", "", "/foo") == "/");
  CHECK(replace("", "/xyz", "/foo") == "/xyz/foo");
  CHECK(replace("/foo", "/xyz", "/foo?a=/foo") == "/xyz?a=/foo");
}

TEST_CASE("a prefix of the text is replaced as text, as a VirtualService's is") {
  const auto replace = [](std::string_view prefix, std::string_view with, std::string_view path) {
    return rewritten(PathMatch::Kind::prefix, prefix, PathRewrite::Kind::prefix, with, path);
  };
  CHECK(replace("/pre", "/post", "/prefix/x") == "/postfix/x");
  CHECK(replace("/pre/", "/", "/pre/x") == "/x");
  CHECK(replace("/", "/all/", "/x") == "/all/x");
  CHECK(replace("/pre", "/", "/pre/x") == "/x");
  CHECK(replace("/pre", "/", "/pre") == "/");
}

TEST_CASE("the whole path is replaced, and the query stays") {
  CHECK(rewritten(PathMatch::Kind::exact, "/a", PathRewrite::Kind::full, "/b", "/a?c") == "/b?c");
  CHECK(rewritten(PathMatch::Kind::any, "", PathRewrite::Kind::none, "", "/a?c") == "/a?c");
}

TEST_CASE("an expression replaces what it matches, with its groups") {
  PathRewrite rewrite;
  rewrite.kind = PathRewrite::Kind::regex;
  rewrite.regex = *Regex::compile("^/rw/([^/]+)/(.*)$");
  rewrite.text = "/\\2/v/\\1";
  const PathMatch match = matched(PathMatch::Kind::prefix, "/rw");
  CHECK(rewritten_path(rewrite, match, "/rw/a/b?q") == "/b/v/a?q");
  CHECK(rewritten_path(rewrite, match, "/other") == "/other");
  rewrite.text = "x";
  CHECK(rewritten_path(rewrite, match, "/rw/a/b") == "/x");
}

std::string location(const Redirect& redirect, std::string_view authority,
                     std::string_view path = "/a?q") {
  return redirect_location(redirect, matched(PathMatch::Kind::prefix, "/a"),
                           {.scheme = "http", .authority = authority, .path = path});
}

TEST_CASE("a redirect keeps of the request what it does not say itself") {
  Redirect redirect;
  CHECK(location(redirect, "web:8080") == "http://web:8080/a?q");
  CHECK(location(redirect, "[fd00::1]:8080") == "http://[fd00::1]:8080/a?q");
  CHECK(location(redirect, "[fd00::1]") == "http://[fd00::1]/a?q");
  redirect.authority = "new.example";
  CHECK(location(redirect, "web:8080") == "http://new.example:8080/a?q");
  redirect.scheme = "https";
  // A scheme of its own brings its own port.
  CHECK(location(redirect, "web:8080") == "https://new.example/a?q");
  redirect.port = 8443;
  CHECK(location(redirect, "web") == "https://new.example:8443/a?q");
  redirect.port = 443;
  CHECK(location(redirect, "web") == "https://new.example/a?q");
  redirect.path.kind = PathRewrite::Kind::full;
  redirect.path.text = "/b";
  CHECK(location(redirect, "web") == "https://new.example/b?q");
}

}  // namespace
}  // namespace aquifer::l7
