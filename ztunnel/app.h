// App: `ztunnel proxy`. Builds the parts, runs the control thread's loop, and takes everything down
// in order.
#pragma once

#include "common/admin/signals.h"
#include "common/coro/scope.h"
#include "common/io/loop.h"
#include "common/telemetry/metrics.h"
#include "common/telemetry/traffic_metrics.h"
#include "config/ca/authority.h"
#include "config/manifests/mesh_watch.h"
#include "config/manifests/workload_names.h"
#include "ztunnel/admin_pages.h"
#include "ztunnel/dns/servers_watch.h"
#include "ztunnel/pod_supervisor.h"
#include "ztunnel/policy_decisions.h"
#include "ztunnel/same_node/node_wide.h"
#include "ztunnel/settings.h"
#include "ztunnel/worker_thread.h"

#include <memory>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

class App {
 public:
  /// Runs until SIGTERM, SIGINT or /quitquitquit. Returns the exit code; what was wrong is on
  /// standard error.
  [[nodiscard]] static int run(const Settings& settings);

 private:
  explicit App(const Settings& settings);
  /// The parts that may fail: a sentence for standard error, or nothing.
  [[nodiscard]] std::expected<void, std::string> build(io::Loop& loop);
  [[nodiscard]] coro::Task<void> serve();
  [[nodiscard]] coro::Task<void> wait_for_stop();
  [[nodiscard]] coro::Task<void> stop_in_order();
  [[nodiscard]] coro::Task<void> check_pods();
  void on_mesh(const model::Store::Update& update);
  void trim_memory_when_idle();
  void tell_dns_servers();

  /// As asked for, then with what the mesh says at start.
  Settings settings_;
  telemetry::Registry registry_;
  telemetry::TrafficMetrics traffic_;
  telemetry::PodMetrics pod_metrics_;
  PolicyDecisions policies_;
  dns::Metrics dns_metrics_;
  dns::ServersWatch dns_servers_;
  SameNode same_node_;
  Node node_;
  manifests::WorkloadNames workload_names_;
  io::Loop* loop_ = nullptr;
  std::unique_ptr<admin::Signals> signals_;
  std::unique_ptr<manifests::MeshWatch> mesh_;
  std::unique_ptr<ca::Authority> authority_;
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::unique_ptr<PodSupervisor> supervisor_;
  std::unique_ptr<AdminPages> admin_;
  std::uint64_t operations_at_check_ = 0;
  bool start_forgotten_ = false;
  coro::Event pods_changed_;
  coro::Event stop_asked_;
  coro::Scope background_;
};

}  // namespace aquifer::ztunnel
