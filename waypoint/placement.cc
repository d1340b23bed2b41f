#include "waypoint/placement.h"

#include "waypoint/exchange.h"
#include "waypoint/handoff.h"
#include "waypoint/request_metrics.h"
#include "waypoint/worker.h"

#include <utility>

namespace aquifer::waypoint {
namespace {

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
  if (here < kFewerToBeWorthIt) return worker;
  PlacementFacts facts{.here = here, .there = here, .cpu_permille = 0};
  Worker* best = &worker;
  for (Worker* each : worker.node.workers) {
    facts.cpu_permille += each->loop.cpu_permille();
    const std::uint32_t load = each->exchanges.load(std::memory_order_relaxed);
    if (load >= facts.there) continue;
    best = each;
    facts.there = load;
  }
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
