#include "waypoint/upstream/placement.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace aquifer::waypoint {
namespace {

std::string_view take_part(std::string_view& rest) noexcept {
  const std::size_t slash = rest.find('/');
  const std::string_view part = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return part;
}

bool fits_part(std::string_view pattern, std::string_view part) noexcept {
  return pattern.empty() || pattern == "*" || pattern == part;
}

// How narrow a pattern is: one for each part that names something.
std::size_t named_parts(std::string_view pattern) noexcept {
  std::size_t count = 0;
  while (!pattern.empty()) {
    const std::string_view part = take_part(pattern);
    if (!part.empty() && part != "*") ++count;
  }
  return count;
}

// Two unknown values count as equal, as for connections (endpoint_choice.cc).
bool shares_scope(model::RoutingScope scope, const Standpoint& here, const model::Workload& there) {
  switch (scope) {
    case model::RoutingScope::network: return here.network == there.network;
    case model::RoutingScope::region: return here.locality.region == there.locality.region;
    case model::RoutingScope::zone: return here.locality.zone == there.locality.zone;
    case model::RoutingScope::subzone: return here.locality.subzone == there.locality.subzone;
    case model::RoutingScope::node: return here.node == there.node;
    case model::RoutingScope::cluster: return here.cluster_id == there.cluster_id;
  }
  return false;
}

}  // namespace

bool fits_locality(std::string_view pattern, const model::Locality& locality) noexcept {
  return fits_part(take_part(pattern), locality.region) &&
         fits_part(take_part(pattern), locality.zone) &&
         fits_part(take_part(pattern), locality.subzone);
}

Placement::Placement(const l7::Balancing& balancing, const model::LoadBalancing& service,
                     const Standpoint& here)
    : balancing_(balancing), service_(service), here_(here) {
  read_distribution();
  if (shares_.empty()) shares_.push_back(1);
}

void Placement::read_distribution() {
  const auto rule = std::ranges::find_if(balancing_.distribute, [&](const l7::LocalityRule& each) {
    return fits_locality(each.from, here_.locality);
  });
  if (rule == balancing_.distribute.end()) return;
  double sum = 0;
  for (const auto& [pattern, share] : rule->to) sum += share;
  if (sum == 0) return;
  for (const auto& [pattern, share] : rule->to) {
    destinations_.push_back({pattern, shares_.size()});
    shares_.push_back(share / sum);
  }
  std::ranges::sort(destinations_, std::ranges::greater(), [](const Destination& each) {
    return std::pair(named_parts(each.pattern), each.pattern);
  });
}

std::optional<Place> Placement::of(const model::Workload& workload) const {
  const std::size_t scopes = service_.scopes.size();
  if (service_.mode == model::BalancingMode::strict && scopes_in_common(workload) < scopes)
    return std::nullopt;
  if (!destinations_.empty()) {
    const auto fit = std::ranges::find_if(destinations_, [&](const Destination& each) {
      return fits_locality(each.pattern, workload.locality);
    });
    if (fit == destinations_.end() || shares_[fit->share] == 0) return std::nullopt;
    return Place{0, fit->share};
  }
  if (balancing_.prefer_near || !balancing_.failover.empty())
    return Place{nearness(workload.locality), 0};
  if (service_.mode == model::BalancingMode::failover)
    return Place{scopes - scopes_in_common(workload), 0};
  return Place{};
}

// Istio's order: subzone, zone, region, the region to fail over to, the rest.
std::size_t Placement::nearness(const model::Locality& there) const {
  const model::Locality& here = here_.locality;
  if (there.region == here.region) {
    if (there.zone != here.zone) return 2;
    return there.subzone == here.subzone ? 0 : 1;
  }
  const auto next = balancing_.failover.find(here.region);
  return next != balancing_.failover.end() && next->second == there.region ? 3 : 4;
}

std::size_t Placement::scopes_in_common(const model::Workload& workload) const {
  const auto differs = std::ranges::find_if_not(service_.scopes, [&](model::RoutingScope scope) {
    return shares_scope(scope, here_, workload);
  });
  return static_cast<std::size_t>(differs - service_.scopes.begin());
}

}  // namespace aquifer::waypoint
