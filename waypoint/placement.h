// On which loop a request is served. Requests of one connection may go to different loops: one
// client with a hundred streams then uses all cores.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/http/stream.h"
#include "waypoint/downstream.h"

#include <cstdint>
#include <memory>

namespace aquifer::waypoint {

struct Worker;

/// Serves one request whose head has come, here or on the least busy loop; completes when the
/// request was answered or thrown away. `worker` is the client's, whose loop this runs on.
[[nodiscard]] coro::Task<void> serve_request(Worker& worker, DownstreamPtr downstream,
                                             std::unique_ptr<http::ServerStream> stream,
                                             coro::CancelSource* cancel);

/// The loop for the next request: `worker` itself, unless moving is worth it.
[[nodiscard]] Worker& choose_worker(Worker& worker) noexcept;

/// What placing a request depends on.
struct PlacementFacts {
  std::uint32_t here = 0;   ///< requests under way on the client's loop
  std::uint32_t there = 0;  ///< on the loop with the fewest
  /// What all loops together use of a core, in thousandths (Loop::cpu_permille).
  std::uint32_t cpu_permille = 0;
};

/// A request that moves costs a few microseconds on both loops, which is only worth it when the
/// other has clearly fewer: one request after the other never moves.
inline constexpr std::uint32_t kFewerToBeWorthIt = 4;
/// Nor while one loop can do the work of all: the waits in a loop that is three quarters busy are
/// shorter than waking another takes.
inline constexpr std::uint32_t kOneLoopDoes = 750;
/// With more under way than this the last of a burst would wait a millisecond for one loop, at some
/// 15 us for each.
inline constexpr std::uint32_t kCrowded = 64;

/// Pure.
[[nodiscard]] constexpr bool is_worth_moving(const PlacementFacts& facts) noexcept {
  if (facts.here < facts.there + kFewerToBeWorthIt) return false;
  return facts.cpu_permille >= kOneLoopDoes || facts.here > kCrowded;
}

}  // namespace aquifer::waypoint
