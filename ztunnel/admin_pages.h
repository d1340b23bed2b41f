// The three HTTP ports of the node's proxy: admin (localhost:15000), metrics (15020), readiness
// (15021). Control thread.
#pragma once

#include "common/admin/handlers.h"
#include "common/admin/ports.h"
#include "common/admin/readiness.h"
#include "config/ca/cert_manager.h"
#include "config/manifests/mesh_watch.h"
#include "ztunnel/flow_pages.h"
#include "ztunnel/pod_supervisor.h"
#include "ztunnel/settings.h"

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

class AdminPages {
 public:
  struct Parts {
    io::Loop& loop;
    const Settings& settings;
    telemetry::Registry& registry;
    const manifests::MeshWatch& mesh;
    const ca::CertManager& certs;
    const PodSupervisor& supervisor;
    const std::vector<std::unique_ptr<WorkerThread>>& workers;
    std::function<void()> quit;
  };
  explicit AdminPages(Parts parts);
  AdminPages(const AdminPages&) = delete;
  AdminPages& operator=(const AdminPages&) = delete;

  /// Opens the ports: a sentence that names the one that cannot be had.
  [[nodiscard]] std::expected<void, std::string> listen();
  /// Runs until stop().
  [[nodiscard]] coro::Task<void> serve() { return ports_.serve(); }
  [[nodiscard]] coro::Task<void> stop() { return ports_.stop(); }

  void set_started() { starting_.done(); }
  /// Not ready while pods that should be captured are not.
  void set_pending_pods(std::size_t count);
  void set_draining() { draining_ = readiness_.pending("draining"); }

 private:
  [[nodiscard]] coro::Task<admin::Response> answer_dump(admin::Request request);
  [[nodiscard]] coro::Task<admin::Response> answer_dashboard(admin::Request request);

  Parts parts_;
  FlowPages flows_;
  admin::Readiness readiness_;
  admin::Readiness::Task starting_;
  admin::Readiness::Task pending_pods_;
  admin::Readiness::Task draining_;
  admin::PortRoutes routes_;
  admin::Ports ports_{parts_.loop, routes_};
};

}  // namespace aquifer::ztunnel
