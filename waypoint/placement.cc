#include "waypoint/placement.h"

#include "waypoint/exchange.h"
#include "waypoint/handoff.h"
#include "waypoint/request_metrics.h"
#include "waypoint/worker.h"

#include <utility>

namespace aquifer::waypoint {
namespace {

std::uint32_t cpu_of_all(const Worker& worker) noexcept {
  std::uint32_t permille = 0;
  for (const Worker* each : worker.node.workers) permille += each->loop.cpu_permille();
  return permille;
}

coro::Task<void> serve_here(Worker& worker, DownstreamPtr downstream,
                            std::unique_ptr<http::ServerStream> stream,
                            coro::CancelSource* cancel) {
  Exchange exchange(worker, std::move(downstream), *stream);
  co_await exchange.run(cancel);
}

}  // namespace

Worker& choose_worker(Worker& worker) noexcept {
  const std::uint32_t here = worker.exchanges.load(std::memory_order_relaxed);
  // For most requests that is all.
  if (!is_worth_moving({.here = here, .there = 0, .cpu_permille = UINT32_MAX})) return worker;
  Worker* best = &worker;
  std::uint32_t there = here;
  for (Worker* other : worker.node.workers) {
    const std::uint32_t load = other->exchanges.load(std::memory_order_relaxed);
    if (load >= there || other == &worker) continue;
    best = other;
    there = load;
  }
  const PlacementFacts facts{.here = here, .there = there, .cpu_permille = cpu_of_all(worker)};
  return is_worth_moving(facts) ? *best : worker;
}

coro::Task<void> serve_request(Worker& worker, DownstreamPtr downstream,
                               std::unique_ptr<http::ServerStream> stream,
                               coro::CancelSource* cancel) {
  Worker& serving = choose_worker(worker);
  if (&serving == &worker) {
    co_await serve_here(worker, std::move(downstream), std::move(stream), cancel);
    co_return;
  }
  worker.node.metrics.moved();
  auto handoff = std::make_shared<Handoff>(worker.loop, serving.loop, std::move(stream->request()),
                                           stream->ended());
  // By these the stream frames its answer.
  stream->request().method = handoff->head.method;
  stream->request().upgrade = handoff->head.upgrade;
  // It counts from now on, or the rest of a burst would follow it before it has arrived.
  serving.exchanges.fetch_add(1, std::memory_order_relaxed);
  serving.loop.post([&serving, downstream, handoff] {
    serving.exchanges.fetch_sub(1, std::memory_order_relaxed);
    serving.guests.spawn(
        serve_here(serving, downstream, serving_side(handoff), &serving.guests.cancel_source()));
  });
  co_await relay(std::move(handoff), *stream, cancel);
}

}  // namespace aquifer::waypoint
