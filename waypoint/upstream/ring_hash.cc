// Ring hash: every endpoint has points on a ring, and a request goes to the first one behind its
// hash. An endpoint's points depend on itself alone, so when one goes only its share moves; and a
// ring is mended, not built anew, when endpoints come and go.
#include "waypoint/upstream/balancer.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace aquifer::waypoint {
namespace {

// Points of an endpoint of the least weight: shares then differ by about 1 / sqrt(256), 6 percent.
constexpr double kPointsEach = 256;
// From here on each has fewer: 16 bytes a point are 2 MiB for each loop, and sorting them for the
// first time takes 10 ms, which a loop can bear once. 512 endpoints.
constexpr double kPointsUsual = 1U << 17U;
// What a minimum ring size may ask for beyond that, at its own cost.
constexpr double kMinimumMax = 1U << 19U;

struct Point {
  std::uint64_t at = 0;
  std::uint32_t slot = 0;
};

bool before(const Point& a, const Point& b) noexcept {
  return a.at < b.at;
}

struct Slot {
  std::uint64_t stable_id = 0;
  std::uint32_t weight = 0;
  Endpoint* endpoint = nullptr;  // null: free
};

// Points for each unit of weight. It depends on the members alone, or replicas would disagree, and
// in powers of two, so that it seldom changes: every change of it moves more than the least.
double points_per_weight(EndpointSpan members, std::uint32_t minimum) {
  std::uint32_t least = members.front()->weight;
  double sum = 0;
  for (const Endpoint* each : members) {
    least = std::min(least, each->weight);
    sum += each->weight;
  }
  double points = kPointsEach / std::bit_floor(least);
  while (points * sum > kPointsUsual) points /= 2;
  while (points * sum < std::min<double>(minimum, kMinimumMax)) points *= 2;
  return points;
}

class RingHash final : public Balancer {
 public:
  void members_changed(EndpointSpan members, const l7::Balancing& balancing) override {
    if (members.empty()) return clear();
    const double points = points_per_weight(members, balancing.ring_size_min);
    if (points != points_per_weight_) clear();
    points_per_weight_ = points;
    drop_gone(members);
    add_new(members);
  }

  void usable_changed(EndpointSpan usable, PickContext& /*context*/) override {
    usable_.assign(usable.begin(), usable.end());
  }

  Endpoint* pick(PickContext& context) override {
    const auto untried = [&](const Endpoint* each) { return !context.was_tried(*each); };
    if (std::ranges::none_of(usable_, untried)) return nullptr;
    const std::uint64_t hash = context.hash ? *context.hash : context.random.next();
    const auto first = std::ranges::lower_bound(ring_, hash, {}, &Point::at);
    std::size_t at = static_cast<std::size_t>(first - ring_.begin());
    // Ends, because somebody on the ring is usable and was not tried.
    for (;; ++at) {
      Endpoint* each = slots_[ring_[at % ring_.size()].slot].endpoint;
      if (each->usable && !context.was_tried(*each)) return each;
    }
  }

 private:
  void clear() {
    ring_.clear();
    slots_.clear();
    usable_.clear();
  }

  // Slots of those that are still there with their weight get the pointer of today.
  void drop_gone(EndpointSpan members) {
    std::vector<Endpoint*> by_id = sorted_by_id(members);
    bool some_gone = false;
    for (Slot& slot : slots_) {
      if (slot.endpoint == nullptr) continue;
      const auto found = std::ranges::lower_bound(by_id, slot.stable_id, {}, &Endpoint::stable_id);
      const bool stays = found != by_id.end() && (*found)->stable_id == slot.stable_id &&
                         (*found)->weight == slot.weight;
      slot.endpoint = stays ? *found : nullptr;
      some_gone = some_gone || !stays;
    }
    if (!some_gone) return;
    std::erase_if(ring_,
                  [&](const Point& point) { return slots_[point.slot].endpoint == nullptr; });
  }

  void add_new(EndpointSpan members) {
    std::vector<std::uint64_t> known;
    std::vector<std::uint32_t> free;
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].endpoint == nullptr) {
        free.push_back(i);
      } else {
        known.push_back(slots_[i].stable_id);
      }
    }
    std::ranges::sort(known);
    std::vector<Point> fresh;
    for (Endpoint* each : members) {
      if (std::ranges::binary_search(known, each->stable_id)) continue;
      if (free.empty()) {
        free.push_back(static_cast<std::uint32_t>(slots_.size()));
        slots_.emplace_back();
      }
      slots_[free.back()] = {each->stable_id, each->weight, each};
      add_points(fresh, free.back());
      free.pop_back();
    }
    std::ranges::sort(fresh, before);
    std::vector<Point> both(ring_.size() + fresh.size());
    std::ranges::merge(ring_, fresh, both.begin(), before);
    ring_ = std::move(both);
  }

  void add_points(std::vector<Point>& points, std::uint32_t index) const {
    const Slot& slot = slots_[index];
    const auto count = static_cast<std::size_t>(std::max(1.0, points_per_weight_ * slot.weight));
    RandomSequence places(slot.stable_id);
    for (std::size_t i = 0; i < count; ++i) points.push_back({places.next(), index});
  }

  static std::vector<Endpoint*> sorted_by_id(EndpointSpan members) {
    std::vector<Endpoint*> sorted(members.begin(), members.end());
    std::ranges::sort(sorted, {}, &Endpoint::stable_id);
    return sorted;
  }

  double points_per_weight_ = 0;
  std::vector<Slot> slots_;
  std::vector<Point> ring_;  // sorted
  std::vector<Endpoint*> usable_;
};

}  // namespace

std::unique_ptr<Balancer> make_ring_hash() {
  return std::make_unique<RingHash>();
}

}  // namespace aquifer::waypoint
