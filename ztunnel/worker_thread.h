// WorkerThread: one loop on a thread of its own, and the pods that live on it. The control thread
// talks to it by messages; everything behind `Loopside` happens on the loop's thread.
#pragma once

#include "ztunnel/pod_proxy.h"

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>

namespace aquifer::ztunnel {

/// A proxy's number: a pod that leaves and comes back has two proxies for a while.
using ProxyId = std::uint64_t;
using Pods = std::map<ProxyId, std::unique_ptr<PodProxy>>;

class WorkerThread {
 public:
  /// Starts the thread and waits until its loop runs. `node` outlives it.
  [[nodiscard]] static Result<std::unique_ptr<WorkerThread>> start(const Node& node,
                                                                   std::string name);
  /// Ends every proxy now, and joins the thread.
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  // From the control thread; each takes effect soon, in the order of the calls.
  void set_snapshot(model::SnapshotPtr snapshot);
  void apply(ca::CertUpdate update);
  void set_dns_servers(dns::ServersPtr servers);
  /// `ended` is called on the loop's thread when the proxy's last connection is gone.
  void add_pod(ProxyId id, model::WorkloadPtr pod,
               std::shared_ptr<const io::NetworkNamespace> space, PodListeners listeners,
               std::function<void()> ended);
  void set_local_pods(LocalPodsPtr pods);
  void update_pod(ProxyId id, model::WorkloadPtr pod);
  void release_pod(ProxyId id);
  void retire_dns_of(ProxyId id);
  void cut_pod(ProxyId id);
  void drain_all();
  /// Looks at everything on the loop's thread, soon.
  void look(std::function<void(Worker&, const Pods&)> look);
  void cut_all();

  [[nodiscard]] io::BackendKind backend() const noexcept { return loop_->backend_kind(); }
  [[nodiscard]] const std::optional<Error>& fallback_reason() const noexcept {
    return loop_->fallback_reason();
  }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // From the loop of any worker.
  /// The pod's proxy serves the connection, or answers that it is not there.
  void hand_over(ProxyId id, HandoverPtr handover);
  [[nodiscard]] io::Loop& loop() const noexcept { return *loop_; }
  // From any thread.
  [[nodiscard]] std::chrono::nanoseconds cpu() const noexcept { return loop_->thread_cpu(); }
  [[nodiscard]] std::chrono::nanoseconds nobodys_cpu() const noexcept {
    return loop_->nobodys_cpu();
  }
  [[nodiscard]] std::uint64_t operations_completed() const noexcept {
    return loop_->operations_completed();
  }

 private:
  struct Loopside;
  WorkerThread(const Node& node, std::string name) noexcept : node_(node), name_(std::move(name)) {}
  void main(std::promise<Status>& started);
  static coro::Task<void> serve(Loopside& side);
  static coro::Task<void> run_pod(Loopside& side, ProxyId id, std::function<void()> ended);
  void with_pod(ProxyId id, std::function<void(PodProxy&)> action);

  const Node& node_;
  const std::string name_;
  io::Loop* loop_ = nullptr;  // the thread's; alive until the destructor has joined it
  Loopside* side_ = nullptr;
  std::promise<void> released_;  // the thread may tear its loop down: nobody posts any more
  std::thread thread_;
};

}  // namespace aquifer::ztunnel
