// Istio's path templates, by the examples of its reference.
#include "config/model/l7/path_template.h"

#include <doctest/doctest.h>

#include <initializer_list>

namespace aquifer::l7 {
namespace {

bool fits(std::string_view shape, std::string_view path) {
  const auto parsed = PathTemplate::parse(shape);
  REQUIRE(parsed);
  return parsed->matches(path);
}

TEST_CASE("{*} stands for one segment, never for none and never for two") {
  CHECK(fits("/foo/{*}", "/foo/bar"));
  CHECK_FALSE(fits("/foo/{*}", "/foo/"));
  CHECK_FALSE(fits("/foo/{*}", "/foo"));
  CHECK_FALSE(fits("/foo/{*}", "/foo/bar/"));
  CHECK_FALSE(fits("/foo/{*}", "/foo/bar/baz"));
  CHECK(fits("/{*}/x/{*}", "/a/x/b"));
  CHECK_FALSE(fits("/{*}/x/{*}", "/a/b/x/c"));
  CHECK_FALSE(fits("/{*}", "//"));
}

TEST_CASE("{**} stands for any rest, also none, and a literal may follow it") {
  CHECK(fits("/foo/{**}", "/foo/"));
  CHECK(fits("/foo/{**}", "/foo/bar/baz"));
  CHECK_FALSE(fits("/foo/{**}", "/foo"));
  CHECK_FALSE(fits("/foo/{**}", "/foobar"));
  CHECK(fits("/foo/{**}/", "/foo/bar/"));
  CHECK(fits("/foo/{**}/", "/foo//"));
  CHECK_FALSE(fits("/foo/{**}/", "/foo/bar"));
  CHECK_FALSE(fits("/foo/{**}/", "/foo/"));
  CHECK(fits("/foo/{*}/bar/{**}", "/foo/buzz/bar/"));
  CHECK(fits("/foo/{*}/bar/{**}", "/foo/buzz/bar/baz/x"));
  CHECK_FALSE(fits("/foo/{*}/bar/{**}", "/foo/buzz/bar"));
  CHECK(fits("/a/{**}/end.txt", "/a/b/c/end.txt"));
}

TEST_CASE("what is no template is refused") {
  for (const char* text : {"/foo/{*}.txt", "/{**}/foo/{*}", "/{**}/{**}", "/*/baz/{*}",
                           "/foo/{**}bar", "/{x}/{*}", "/a{*}"}) {
    CAPTURE(text);
    CHECK(PathTemplate::is_template(text));
    CHECK_FALSE(PathTemplate::parse(text));
  }
  CHECK_FALSE(PathTemplate::is_template("/foo/*"));
  CHECK_FALSE(PathTemplate::is_template("/foo/{bar}"));
}

TEST_CASE("a template matches its own example, and every match begins with its prefix") {
  for (const char* text : {"/foo/{*}", "/{*}/x/{**}/y", "/{**}", "{*}/foo"}) {
    CAPTURE(text);
    const auto shape = PathTemplate::parse(text);
    REQUIRE(shape);
    CHECK(shape->matches(shape->example()));
    CHECK(shape->example().starts_with(shape->prefix()));
  }
  CHECK_FALSE(PathTemplate().matches(""));
}

}  // namespace
}  // namespace aquifer::l7
