// FlowHub: those who follow what happens to connections. Workers make events only while there is a
// follower; each follower has a queue of its own and loses its place when it does not keep up.
// Control thread.
#pragma once

#include "common/admin/message.h"
#include "common/coro/event.h"
#include "ztunnel/flow_event.h"
#include "ztunnel/flow_journal.h"
#include "ztunnel/worker_thread.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

class FlowHub {
 public:
  FlowHub(io::Loop& loop, const std::vector<std::unique_ptr<WorkerThread>>& workers) noexcept
      : loop_(loop), workers_(workers) {}
  ~FlowHub() { AQUIFER_ASSERT(followers_.empty()); }
  FlowHub(const FlowHub&) = delete;
  FlowHub& operator=(const FlowHub&) = delete;

  /// A stream of JSON lines that ends when its reader goes, or with a line that says how many
  /// events it lost. Null when too many follow already.
  [[nodiscard]] std::unique_ptr<admin::BodySource> follow(FlowFilter filter);

  void deliver(const FlowBatch& batch);

  /// People who look at the same time, and a collector or two; each may cost the control thread as
  /// much as the workers produce.
  static constexpr std::size_t kFollowersMax = 16;
  /// Waiting for one follower: some seconds of a busy node, about 500 bytes each.
  static constexpr std::size_t kQueuedLinesMax = 20'000;

 private:
  class Follower;
  void join(Follower& follower);
  void leave(Follower& follower) noexcept;
  void tell_workers();

  io::Loop& loop_;
  const std::vector<std::unique_ptr<WorkerThread>>& workers_;
  std::vector<Follower*> followers_;
};

}  // namespace aquifer::ztunnel
