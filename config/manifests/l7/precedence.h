// Which of two matches of HTTPRoutes, or of GRPCRoutes, is tried first: the Gateway API's rules,
// and where they leave a choice Istio's. Pure.
#pragma once

#include "config/manifests/route_objects.h"

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

/// What the Gateway API compares, the most important first; the larger goes first.
///
/// HTTPRoute: kind of the path match (exact, prefix, regular expression: a choice of
/// implementations, and this is Istio's), its characters, a method, headers, query parameters.
/// GRPCRoute: characters of the service, of the method, headers.
using MatchRank = std::array<std::size_t, 5>;
[[nodiscard]] MatchRank rank_of(RouteKind kind, const MatchObject& match) noexcept;

/// Of two routes: the older (creationTimestamp), then by NAMESPACE/NAME. One that was written by
/// hand has no age, and goes before those that have.
[[nodiscard]] bool is_older(const Metadata& a, const Metadata& b) noexcept;

/// One match of one rule of one route.
struct RankedMatch {
  const RouteObject* route = nullptr;
  std::size_t rule = 0;
  std::size_t match = 0;
  MatchRank rank{};
  /// By age and name of the routes, then as they are written: decides among equal ranks.
  std::size_t place = 0;
};
/// All matches of routes of one kind, the first to be tried first.
[[nodiscard]] std::vector<RankedMatch> in_order(const std::vector<const RouteObject*>& routes);

}  // namespace aquifer::manifests
