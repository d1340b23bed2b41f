#include "config/manifests/l7/precedence.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace aquifer::manifests {
namespace {

std::pair<std::size_t, std::size_t> path_rank(const l7::PathMatch& path) noexcept {
  using Kind = l7::PathMatch::Kind;
  switch (path.kind) {
    case Kind::exact: return {3, path.text.size()};
    // "/" is kept as the empty prefix: nothing is shorter.
    case Kind::prefix:
    case Kind::segment_prefix: return {2, path.text.size()};
    case Kind::regex: return {1, path.regex.text().size()};
    case Kind::any: return {0, 0};
  }
  return {0, 0};
}

}  // namespace

MatchRank rank_of(RouteKind kind, const MatchObject& object) noexcept {
  const l7::RouteMatch& match = object.match;
  if (kind == RouteKind::grpc)
    return {object.service_chars, object.method_chars, match.headers.size(), 0, 0};
  const auto [path, chars] = path_rank(match.path);
  return {path, chars, match.method.empty() ? 0U : 1U, match.headers.size(), match.query.size()};
}

bool is_older(const Metadata& a, const Metadata& b) noexcept {
  return std::tie(a.created, a.ns, a.name) < std::tie(b.created, b.ns, b.name);
}

std::vector<RankedMatch> in_order(const std::vector<const RouteObject*>& routes) {
  std::vector<const RouteObject*> by_age = routes;
  std::ranges::sort(by_age, [](const RouteObject* a, const RouteObject* b) {
    return is_older(a->meta, b->meta);
  });
  std::vector<RankedMatch> matches;
  for (const RouteObject* route : by_age) {
    for (std::size_t rule = 0; rule < route->rules.size(); ++rule) {
      const std::vector<MatchObject>& of_rule = route->rules[rule].matches;
      for (std::size_t match = 0; match < of_rule.size(); ++match)
        matches.push_back(
            {route, rule, match, rank_of(route->kind, of_rule[match]), matches.size()});
    }
  }
  std::ranges::sort(matches, [](const RankedMatch& a, const RankedMatch& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.place < b.place;
  });
  return matches;
}

}  // namespace aquifer::manifests
