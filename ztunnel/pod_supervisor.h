// PodSupervisor: which pods of this node are captured, and by whom. Turns the wish of the mesh into
// namespaces, listeners, rules and proxies; keeps trying where one cannot be had, and never gives
// up on the others. Control thread.
#pragma once

#include "common/base/time.h"
#include "common/io/loop.h"
#include "common/telemetry/metrics.h"
#include "config/ca/cert_manager.h"
#include "config/model/snapshot.h"
#include "ztunnel/capture/capture.h"
#include "ztunnel/worker_thread.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

/// A pod as /config_dump and readiness show it.
struct PodStatus {
  enum class State : std::uint8_t { pending, up, releasing };
  std::string uid;
  std::string name;  ///< NAMESPACE/POD
  State state = State::pending;
  std::string why;  ///< of pending: what is missing, for people
};

class PodSupervisor {
 public:
  struct Parts {
    io::Loop& loop;
    const Settings& settings;
    telemetry::Registry& registry;
    ca::CertManager& certs;
    std::vector<std::unique_ptr<WorkerThread>>& workers;
  };
  explicit PodSupervisor(Parts parts);
  PodSupervisor(const PodSupervisor&) = delete;
  PodSupervisor& operator=(const PodSupervisor&) = delete;

  /// Makes this node what `snapshot` says: pods that joined are captured, pods that left are
  /// released.
  void reconcile(const model::Snapshot& snapshot);
  /// To be called every few seconds: tries pending pods again, and looks whether captured ones
  /// still are.
  void check();
  static constexpr std::chrono::seconds kCheckInterval{2};

  /// The process ends: rules stay, so that captured pods fail closed until a successor serves them.
  void drain();
  void cut();
  /// Proxies that have not ended yet, the released ones included.
  [[nodiscard]] std::size_t live() const noexcept { return live_; }
  [[nodiscard]] std::size_t pending() const noexcept;
  [[nodiscard]] std::vector<PodStatus> status() const;
  /// Called on the control thread whenever the number of pending or live proxies changed.
  void on_change(std::function<void()> changed) { changed_ = std::move(changed); }

 private:
  struct Pod {
    model::WorkloadPtr workload;
    std::shared_ptr<const io::NetworkNamespace> space;  // null while pending
    WorkerThread* worker = nullptr;
    ProxyId id = 0;
    std::string why;  // not empty: pending
  };
  struct Released {
    model::WorkloadPtr workload;
    std::shared_ptr<const io::NetworkNamespace> space;
    WorkerThread* worker = nullptr;
    bool rules_stay = false;  // the namespace is gone, or captured anew
  };

  void add(const model::WorkloadPtr& workload);
  void change(Pod& pod, const model::WorkloadPtr& workload);
  void release(Pod pod);
  /// The pod's namespace is not the one we serve any more: its connections are dead.
  void abandon(Pod pod);
  [[nodiscard]] std::expected<void, std::string> start(Pod& pod);
  [[nodiscard]] std::expected<void, std::string> ensure_capture();
  void verify(Pod& pod);
  void try_start(Pod& pod);
  void ended(ProxyId id);
  [[nodiscard]] WorkerThread& least_loaded();
  void update_metrics();
  /// Tells the workers which pods connections can be handed over to.
  void publish_local_pods();

  Parts parts_;
  std::optional<Capture> capture_;
  std::map<std::string, Pod> pods_;  // by uid
  std::map<ProxyId, Released> released_;
  std::map<const WorkerThread*, std::size_t> load_;
  ProxyId next_id_ = 1;
  std::size_t live_ = 0;
  bool draining_ = false;
  LocalPods published_;
  std::function<void()> changed_;
  telemetry::Gauge active_gauge_;
  telemetry::Gauge pending_gauge_;
  telemetry::Counter started_;
  telemetry::Counter stopped_;
  telemetry::Counter failures_;
};

}  // namespace aquifer::ztunnel
