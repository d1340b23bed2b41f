#include "ztunnel/flow_hub.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace aquifer::ztunnel {
namespace {

std::string line_of(const FlowEvent& event) {
  return to_json(event).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

FlowHub::FlowHub(io::Loop& loop, const std::vector<std::unique_ptr<WorkerThread>>& workers)
    : loop_(loop),
      workers_(workers),
      followers_(loop, line_of, [this](bool followed) { tell_workers(followed); }) {}

std::unique_ptr<admin::BodySource> FlowHub::follow(FlowFilter filter) {
  return followers_.follow(
      [filter = std::move(filter)](const FlowEvent& event) { return filter.wants(event); });
}

void FlowHub::tell_workers(bool followed) {
  for (const auto& worker : workers_) {
    worker->look([this, followed](Worker& side, const Pods&) {
      if (!followed) {
        side.journal.follow(nullptr);
        return;
      }
      side.journal.follow([this](FlowBatch batch) {
        loop_.post([this, batch = std::move(batch)] { deliver(batch); });
      });
    });
  }
}

}  // namespace aquifer::ztunnel
