#include "waypoint/upstream/spread.h"

#include "waypoint/upstream/ejections.h"
#include "waypoint/upstream/placement.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>

namespace aquifer::waypoint {
namespace {

bool is_ejected(const Endpoint& endpoint, MonoTime now) noexcept {
  return endpoint.failures != nullptr && endpoint.failures->is_ejected(now);
}

bool is_healthy(const Endpoint& endpoint, MonoTime now) noexcept {
  return endpoint.ready && !is_ejected(endpoint, now);
}

double percent_of(const Census& census) noexcept {
  return census.members == 0
             ? 100
             : 100 * static_cast<double>(census.healthy) / static_cast<double>(census.members);
}

// Who counts as usable in one tier.
enum class Mercy : std::uint8_t {
  none,     // the healthy
  ejected,  // those that are left out, too: too few would remain (healthy_percent_min)
  all,      // even those that are not ready: panic
};

Mercy mercy_for(const l7::Cluster& cluster, const Census& tier, bool overloaded) noexcept {
  const double percent = percent_of(tier);
  // As Envoy: while other tiers can carry the load, nobody panics.
  if (overloaded && percent < cluster.balancing.panic_percent) return Mercy::all;
  if (cluster.outlier && percent < cluster.outlier->healthy_percent_min) return Mercy::ejected;
  return Mercy::none;
}

bool is_usable(const Endpoint& endpoint, Mercy mercy, MonoTime now) noexcept {
  switch (mercy) {
    case Mercy::none: return is_healthy(endpoint, now);
    case Mercy::ejected: return endpoint.ready;
    case Mercy::all: return true;
  }
  return false;
}

bool is_overloaded(std::span<const Census> tiers) noexcept {
  double sum = 0;
  for (const Census& tier : tiers) sum += capacity_of(tier);
  return sum < 1;
}

}  // namespace

void Spread::rebuild(std::span<const EndpointPtr> endpoints, const l7::Cluster& cluster,
                     const model::LoadBalancing& service, const Standpoint& here) {
  const Placement placement(cluster.balancing, service, here);
  std::map<std::pair<std::size_t, std::size_t>, std::vector<Endpoint*>> places;
  for (const EndpointPtr& each : endpoints) {
    each->usable = false;
    if (const auto place = placement.of(*each->workload))
      places[{place->tier, place->share}].push_back(each.get());
  }
  std::vector<Group> before = std::exchange(groups_, {});
  tiers_ = 0;
  std::size_t tier = 0;
  for (auto& [place, members] : places) {
    // Tiers without anybody are no tiers: what is nearest takes the load of all that is near.
    if (groups_.empty() || place.first != tier) ++tiers_;
    tier = place.first;
    Group group;
    group.tier = tiers_ - 1;
    group.share = placement.shares()[place.second];
    group.members = std::move(members);
    // Rings keep their points if the balancer stays: which one of several is a matter of cost only.
    const bool kept = kind_ == cluster.balancing.kind && groups_.size() < before.size();
    group.balancer =
        kept ? std::move(before[groups_.size()].balancer) : make_balancer(cluster.balancing.kind);
    group.balancer->members_changed(group.members, cluster.balancing);
    groups_.push_back(std::move(group));
  }
  kind_ = cluster.balancing.kind;
}

MonoTime Spread::refresh(const l7::Cluster& cluster, PickContext& context) {
  const std::vector<Census> tiers = take_census(context.now);
  const bool overloaded = is_overloaded(tiers);
  for (Group& group : groups_) {
    const Mercy mercy = mercy_for(cluster, tiers[group.tier], overloaded);
    for (Endpoint* each : group.members) each->usable = is_usable(*each, mercy, context.now);
    tell_balancer(group, context);
  }
  share_load(tiers, context.now);
  MonoTime next = MonoTime::max();
  for (const Group& group : groups_) {
    for (const Endpoint* each : group.members) {
      if (is_ejected(*each, context.now)) next = std::min(next, each->failures->returns());
    }
  }
  return next;
}

std::vector<Census> Spread::take_census(MonoTime now) const {
  std::vector<Census> tiers(tiers_);
  for (const Group& group : groups_) {
    const Census of_group = census_of(group, now);
    tiers[group.tier].members += of_group.members;
    tiers[group.tier].healthy += of_group.healthy;
  }
  return tiers;
}

Census Spread::census_of(const Group& group, MonoTime now) {
  const auto healthy = std::ranges::count_if(
      group.members, [&](const Endpoint* each) { return is_healthy(*each, now); });
  return {static_cast<std::size_t>(healthy), group.members.size()};
}

void Spread::tell_balancer(Group& group, PickContext& context) {
  std::vector<Endpoint*> usable;
  std::ranges::copy_if(group.members, std::back_inserter(usable), &Endpoint::usable);
  // The same ones: turns and tables go on as they are.
  if (!group.is_new && usable == group.usable) return;
  group.is_new = false;
  group.usable = std::move(usable);
  group.balancer->usable_changed(group.usable, context);
}

// By health; when nobody is healthy and some are used in spite of it, by their number.
void Spread::share_load(std::vector<Census> tiers, MonoTime now) {
  const bool some_healthy =
      std::ranges::any_of(tiers, [](const Census& tier) { return tier.healthy > 0; });
  const auto census = [&](const Group& group) {
    return some_healthy ? census_of(group, now) : Census{group.usable.size(), group.members.size()};
  };
  if (!some_healthy) {
    for (const Group& group : groups_) tiers[group.tier].healthy += group.usable.size();
  }
  const std::vector<double> loads = tier_loads(tiers);
  std::vector<double> capacities(tiers_);
  for (Group& group : groups_) {
    group.load = group.share * capacity_of(census(group));
    capacities[group.tier] += group.load;
  }
  for (Group& group : groups_) {
    const double whole = capacities[group.tier];
    group.load = whole > 0 ? loads[group.tier] * group.load / whole : 0;
  }
}

Spread::Group* Spread::draw_group(PickContext& context) {
  if (groups_.size() == 1) return groups_.front().usable.empty() ? nullptr : &groups_.front();
  // A request's hash decides here, too, or sessions would wander between localities.
  double at = context.hash ? RandomSequence(*context.hash).unit() : context.random.unit();
  Group* last = nullptr;
  for (Group& group : groups_) {
    if (group.load <= 0 || group.usable.empty()) continue;
    last = &group;
    if (at < group.load) break;
    at -= group.load;
  }
  return last;
}

Endpoint* Spread::pick(PickContext& context) {
  Group* drawn = draw_group(context);
  if (drawn == nullptr) return nullptr;
  if (Endpoint* picked = drawn->balancer->pick(context)) return picked;
  for (Group& group : groups_) {
    if (&group == drawn || group.usable.empty()) continue;
    if (Endpoint* picked = group.balancer->pick(context)) return picked;
  }
  // Everybody was tried.
  context.tried = {};
  return drawn->balancer->pick(context);
}

}  // namespace aquifer::waypoint
