// The table of routes finds what a scan in their order finds, whatever the routes are.
#include "config/model/l7/route_table.h"

#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace aquifer::l7 {
namespace {

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t bound) {
  return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
}

// Short paths over few letters, so that they meet often.
std::string random_path(Random& random) {
  static constexpr std::string_view kPieces[] = {"/a", "/b", "/ab", "/A", "/", "/a/b", "/c."};
  std::string path;
  for (std::size_t i = below(random, 4); i > 0; --i)
    path += kPieces[below(random, std::size(kPieces))];
  return path.empty() ? "/" : path;
}

PathMatch random_path_match(Random& random) {
  PathMatch match;
  match.kind = static_cast<PathMatch::Kind>(below(random, 5));
  match.ignore_case = below(random, 5) == 0;
  match.text = random_path(random);
  if (match.kind == PathMatch::Kind::segment_prefix) {
    while (match.text.ends_with('/')) match.text.pop_back();
  }
  if (match.kind == PathMatch::Kind::regex) {
    static constexpr std::string_view kExpressions[] = {"/a.*", "/[ab]+", ".*b", "/"};
    match.regex = *Regex::compile(kExpressions[below(random, std::size(kExpressions))]);
  }
  return match;
}

RoutePtr random_route(Random& random, std::size_t number) {
  Route route;
  route.name = std::to_string(number);
  route.match.path = random_path_match(random);
  if (below(random, 4) == 0) route.match.method = below(random, 2) == 0 ? "GET" : "PUT";
  if (below(random, 4) == 0) {
    HeaderMatch header;
    header.name = "x";
    header.value = TextPattern::exact(below(random, 2) == 0 ? "1" : "2");
    header.invert = below(random, 2) == 0;
    route.match.headers.push_back(std::move(header));
  }
  if (below(random, 5) == 0) route.match.query.push_back({"q", TextPattern::exact("1")});
  if (below(random, 5) == 0) route.match.source_namespace = "shop";
  return std::make_shared<const Route>(std::move(route));
}

const Route* scan(const std::vector<RoutePtr>& routes, const RequestView& request) {
  for (const RoutePtr& route : routes) {
    if (matches(route->match, request)) return route.get();
  }
  return nullptr;
}

TEST_CASE(
    "the table gives the first route that matches, as looking at all of them in order would") {
  Random random(20240607);
  const SpiffeId shop = *SpiffeId::make("cluster.local", "shop", "a");
  std::size_t found = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<RoutePtr> routes;
    for (std::size_t i = below(random, 40); i > 0; --i)
      routes.push_back(random_route(random, routes.size()));
    const RouteTable table(routes);
    for (int asked = 0; asked < 50; ++asked) {
      std::string path = random_path(random);
      if (below(random, 3) == 0) path += "?q=1";
      HeaderFields headers;
      if (below(random, 2) == 0) headers.add("X", below(random, 2) == 0 ? "1" : "2");
      const RequestView request{.method = below(random, 2) == 0 ? "GET" : "PUT",
                                .scheme = "http",
                                .authority = "web",
                                .path = path,
                                .headers = headers,
                                .source = {},
                                .destination = {},
                                .identity = below(random, 2) == 0 ? &shop : nullptr};
      const Route* wanted = scan(routes, request);
      const RoutePtr& got = table.find(request);
      REQUIRE((got == nullptr ? nullptr : got.get()) == wanted);
      found += wanted != nullptr ? 1 : 0;
      // Who was passed over has something that was not true; who was taken has not.
      if (wanted != nullptr) CHECK(first_mismatch(wanted->match, request).empty());
      if (!routes.empty() && routes.front().get() != wanted)
        CHECK_FALSE(first_mismatch(routes.front()->match, request).empty());
    }
  }
  CHECK(found > 1000);
}

TEST_CASE("two tables are the same exactly when their routes are, in their order") {
  Random random(1);
  const std::vector<RoutePtr> routes = {random_route(random, 0), random_route(random, 1)};
  std::vector<RoutePtr> copies = {std::make_shared<const Route>(*routes[0]),
                                  std::make_shared<const Route>(*routes[1])};
  CHECK(RouteTable(routes) == RouteTable(copies));
  std::swap(copies[0], copies[1]);
  CHECK_FALSE(RouteTable(routes) == RouteTable(copies));
}

}  // namespace
}  // namespace aquifer::l7
