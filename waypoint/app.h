// App: `waypoint proxy`. Builds the parts, runs the control thread's loop, and takes everything
// down in order.
#pragma once

#include "common/admin/signals.h"
#include "common/coro/scope.h"
#include "common/io/loop.h"
#include "common/telemetry/metrics.h"
#include "config/ca/authority.h"
#include "config/manifests/mesh_watch.h"
#include "config/manifests/workload_names.h"
#include "waypoint/admin_pages.h"
#include "waypoint/keys/key_fetcher.h"
#include "waypoint/request_metrics.h"
#include "waypoint/settings.h"
#include "waypoint/worker_thread.h"

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace aquifer::waypoint {

class App {
 public:
  /// Runs until SIGTERM, SIGINT or /quitquitquit. Returns the exit code; what was wrong is on
  /// standard error.
  [[nodiscard]] static int run(const Settings& settings);

 private:
  explicit App(const Settings& settings);
  [[nodiscard]] std::expected<void, std::string> build(io::Loop& loop);
  [[nodiscard]] std::expected<void, std::string> listen(std::uint16_t port, std::vector<Fd>& out);
  void observe();
  [[nodiscard]] coro::Task<void> serve();
  [[nodiscard]] coro::Task<void> wait_for_stop();
  [[nodiscard]] coro::Task<void> drain();
  [[nodiscard]] coro::Task<void> end_workers();
  [[nodiscard]] coro::Task<void> trim_memory();
  void on_mesh(const model::SnapshotPtr& snapshot);

  const Settings settings_;
  telemetry::Registry registry_;
  RequestMetrics metrics_;
  Circuits circuits_;
  Node node_;
  io::Loop* loop_ = nullptr;
  SelfPtr self_;
  std::unique_ptr<admin::Signals> signals_;
  std::unique_ptr<manifests::MeshWatch> mesh_;
  manifests::WorkloadNames workload_names_;
  std::unique_ptr<ca::Authority> authority_;
  bool hurried_ = false;  // asked to stop again while it drained
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::vector<Fd> listeners_;
  std::vector<Fd> plain_listeners_;
  std::unique_ptr<AdminPages> admin_;
  std::unique_ptr<KeyFetcher> key_fetcher_;
  coro::Event stop_asked_;
  coro::Scope background_;
};

}  // namespace aquifer::waypoint
