// Draws endpoints in proportion to their weights, each draw in constant time (Walker's alias
// method): what random, least request and EWMA balancers begin with. On one loop.
#pragma once

#include "waypoint/upstream/balancer.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace aquifer::waypoint {

class Lottery {
 public:
  void fill(EndpointSpan endpoints);
  [[nodiscard]] bool empty() const noexcept { return endpoints_.empty(); }

  /// One that was not tried, by weight, those in slow start by less; null when there is none.
  [[nodiscard]] Endpoint* draw(PickContext& context) const;
  /// Another than `first`, in the same way; `first` itself when no other turns up.
  [[nodiscard]] Endpoint* draw_other(PickContext& context, Endpoint* first) const;

 private:
  // Of a column's draws, those below `threshold` of 2^32 are its own, the rest its alias's.
  struct Column {
    std::uint64_t threshold = 0;
    std::uint32_t alias = 0;
  };
  void fill_columns();
  [[nodiscard]] Endpoint* draw_any(RandomSequence& random) const noexcept;
  [[nodiscard]] Endpoint* search(PickContext& context) const;

  std::vector<Endpoint*> endpoints_;
  std::vector<Column> columns_;  // none while all weights are the same
};

}  // namespace aquifer::waypoint
