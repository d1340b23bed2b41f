// Maglev: a table of prime size that endpoints fill in turn, each in an order of its own (Eisenbud
// et al., NSDI 2016, section 3.4). A choice is one look; when an endpoint goes, its share and a few
// percent beside it move.
#include "waypoint/upstream/balancer.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace aquifer::waypoint {
namespace {

// Envoy's largest. 4 bytes an entry: 20 MB for each loop, for those who ask for it.
constexpr std::uint32_t kTableMax = 5'000'011;
// Other places for a hash whose endpoint cannot be used. With half of them out, one of 2^16 hashes
// is left to the search.
constexpr int kOtherPlaces = 16;
constexpr std::uint32_t kFree = ~std::uint32_t{0};

bool is_prime(std::uint32_t number) noexcept {
  if (number < 4) return number > 1;
  if (number % 2 == 0) return false;
  for (std::uint32_t divisor = 3; divisor <= number / divisor; divisor += 2) {
    if (number % divisor == 0) return false;
  }
  return true;
}

// Any other size would leave places that an endpoint's steps never reach.
std::uint32_t prime_from(std::uint32_t number) noexcept {
  while (!is_prime(number)) ++number;
  return number;
}

// Where an endpoint looks next.
struct Walk {
  std::uint32_t at = 0;
  std::uint32_t step = 1;
  double due = 0;  // turns it has earned and not used
};

class Maglev final : public Balancer {
 public:
  void members_changed(EndpointSpan members, const l7::Balancing& balancing) override {
    members_.assign(members.begin(), members.end());
    std::vector<Key> keys;
    for (const Endpoint* each : members) keys.push_back({each->stable_id, each->weight});
    const std::uint32_t size = prime_from(
        std::clamp(balancing.maglev_table,
                   std::min(static_cast<std::uint32_t>(members.size()) + 1, kTableMax), kTableMax));
    // Endpoints that only moved or are not ready any more have their places still.
    if (keys == keys_ && size == table_.size()) return;
    keys_ = std::move(keys);
    fill(size);
  }

  void usable_changed(EndpointSpan usable, PickContext& /*context*/) override {
    usable_.assign(usable.begin(), usable.end());
  }

  Endpoint* pick(PickContext& context) override {
    if (usable_.empty()) return nullptr;
    const std::uint64_t hash = context.hash ? *context.hash : context.random.next();
    // Not the hash itself but numbers from it: the low digits of some hashes are poor.
    RandomSequence places(hash);
    for (int i = 0; i < kOtherPlaces; ++i) {
      Endpoint* each = members_[table_[places.next() % table_.size()]];
      if (each->usable && !context.was_tried(*each)) return each;
    }
    return search(places.next(), context);
  }

 private:
  struct Key {
    std::uint64_t stable_id = 0;
    std::uint32_t weight = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };

  void fill(std::uint32_t size) {
    table_.assign(size, kFree);
    if (members_.empty()) return;
    double heaviest = 0;
    std::vector<Walk> walks;
    for (const Endpoint* each : members_) {
      heaviest = std::max(heaviest, static_cast<double>(each->weight));
      RandomSequence numbers(each->stable_id);
      walks.push_back({numbers.below(size), 1 + numbers.below(size - 1), 0});
    }
    for (std::uint32_t filled = 0; filled < size;) {
      for (std::uint32_t i = 0; i < walks.size() && filled < size; ++i) {
        // The heaviest has a turn in each round, one of half its weight in every other.
        walks[i].due += members_[i]->weight / heaviest;
        if (walks[i].due < 1) continue;
        walks[i].due -= 1;
        take_place(walks[i], i);
        ++filled;
      }
    }
  }

  void take_place(Walk& walk, std::uint32_t member) {
    const auto size = static_cast<std::uint32_t>(table_.size());
    while (table_[walk.at] != kFree) {
      walk.at += walk.step;
      if (walk.at >= size) walk.at -= size;
    }
    table_[walk.at] = member;
  }

  Endpoint* search(std::uint64_t from, const PickContext& context) const {
    for (std::size_t i = 0; i < usable_.size(); ++i) {
      Endpoint* each = usable_[(from + i) % usable_.size()];
      if (!context.was_tried(*each)) return each;
    }
    return nullptr;
  }

  std::vector<Endpoint*> members_;
  std::vector<Endpoint*> usable_;
  std::vector<Key> keys_;
  std::vector<std::uint32_t> table_;  // of members_
};

}  // namespace

std::unique_ptr<Balancer> make_maglev() {
  return std::make_unique<Maglev>();
}

}  // namespace aquifer::waypoint
