#include "waypoint/upstream/lottery.h"

#include "waypoint/upstream/slow_start.h"

#include <algorithm>

namespace aquifer::waypoint {
namespace {

// Draws before a search of all: of a hundred endpoints at a tenth of their share beside one that is
// warm, and of a few that were tried, this leaves almost nothing to the search.
constexpr int kDraws = 16;
// For a second one: with two endpoints of one weight, the first is drawn again 1 of 2^8 times.
constexpr int kOtherDraws = 8;
constexpr double kColumn = 4294967296.0;  // 2^32

bool is_cold(const Endpoint& endpoint, PickContext& context) {
  if (context.balancing.slow_start <= Duration::zero()) return false;
  const double warmth = warmth_of(endpoint, context.balancing, context.now);
  return warmth < 1 && context.random.unit() >= warmth;
}

}  // namespace

void Lottery::fill(EndpointSpan endpoints) {
  endpoints_.assign(endpoints.begin(), endpoints.end());
  columns_.clear();
  const bool uneven = std::ranges::any_of(
      endpoints_, [&](const Endpoint* each) { return each->weight != endpoints_.front()->weight; });
  if (uneven) fill_columns();
}

// Vose's way: every column is filled up to the mean by one that has too much.
void Lottery::fill_columns() {
  const std::size_t count = endpoints_.size();
  double sum = 0;
  for (const Endpoint* each : endpoints_) sum += each->weight;
  std::vector<double> scaled(count);
  std::vector<std::uint32_t> small;
  std::vector<std::uint32_t> large;
  for (std::uint32_t i = 0; i < count; ++i) {
    scaled[i] = endpoints_[i]->weight * static_cast<double>(count) / sum;
    (scaled[i] < 1 ? small : large).push_back(i);
  }
  columns_.assign(count, Column{static_cast<std::uint64_t>(kColumn), 0});
  while (!small.empty() && !large.empty()) {
    const std::uint32_t low = small.back();
    const std::uint32_t high = large.back();
    small.pop_back();
    columns_[low] = {static_cast<std::uint64_t>(scaled[low] * kColumn), high};
    scaled[high] -= 1 - scaled[low];
    if (scaled[high] >= 1) continue;
    large.pop_back();
    small.push_back(high);
  }
}

Endpoint* Lottery::draw_any(RandomSequence& random) const noexcept {
  const std::uint32_t at = random.below(static_cast<std::uint32_t>(endpoints_.size()));
  if (columns_.empty()) return endpoints_[at];
  const Column& column = columns_[at];
  return endpoints_[(random.next() >> 32U) < column.threshold ? at : column.alias];
}

Endpoint* Lottery::draw(PickContext& context) const {
  if (endpoints_.empty()) return nullptr;
  Endpoint* cold = nullptr;
  for (int i = 0; i < kDraws; ++i) {
    Endpoint* drawn = draw_any(context.random);
    if (context.was_tried(*drawn)) continue;
    if (!is_cold(*drawn, context)) return drawn;
    cold = drawn;
  }
  return cold != nullptr ? cold : search(context);
}

Endpoint* Lottery::draw_other(PickContext& context, Endpoint* first) const {
  if (endpoints_.size() < 2) return first;
  for (int i = 0; i < kOtherDraws; ++i) {
    Endpoint* drawn = draw_any(context.random);
    if (drawn == first || context.was_tried(*drawn) || is_cold(*drawn, context)) continue;
    return drawn;
  }
  return first;
}

// From a random one on, so that what is left over is shared.
Endpoint* Lottery::search(PickContext& context) const {
  const std::size_t count = endpoints_.size();
  const std::size_t start = context.random.below(static_cast<std::uint32_t>(count));
  for (std::size_t i = 0; i < count; ++i) {
    Endpoint* each = endpoints_[(start + i) % count];
    if (!context.was_tried(*each)) return each;
  }
  return nullptr;
}

}  // namespace aquifer::waypoint
