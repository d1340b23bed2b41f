// FlowHub: those who follow what happens to connections (common/admin/followers.h). Workers make
// events only while there is one. Control thread.
#pragma once

#include "common/admin/followers.h"
#include "ztunnel/flow_event.h"
#include "ztunnel/flow_journal.h"
#include "ztunnel/worker_thread.h"

#include <memory>
#include <vector>

namespace aquifer::ztunnel {

class FlowHub {
 public:
  FlowHub(io::Loop& loop, const std::vector<std::unique_ptr<WorkerThread>>& workers);

  /// A stream of JSON lines that ends when its reader goes, or with a line that says how many
  /// events it lost. Null when too many follow already.
  [[nodiscard]] std::unique_ptr<admin::BodySource> follow(FlowFilter filter);

  void deliver(const FlowBatch& batch) { followers_.deliver(batch); }

  static constexpr std::size_t kFollowersMax = admin::Followers<FlowEvent>::kFollowersMax;
  static constexpr std::size_t kQueuedLinesMax = admin::Followers<FlowEvent>::kQueuedLinesMax;

 private:
  void tell_workers(bool followed);

  io::Loop& loop_;
  const std::vector<std::unique_ptr<WorkerThread>>& workers_;
  admin::Followers<FlowEvent> followers_;
};

}  // namespace aquifer::ztunnel
