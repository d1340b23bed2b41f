#include "ztunnel/pod_supervisor.h"

#include "common/base/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

namespace aquifer::ztunnel {
namespace {

constexpr const char* kTarget = "ztunnel::capture";

std::string pod_name(const model::Workload& workload) {
  return workload.ns + "/" + workload.name;
}

/// True exactly when the pod's namespace is no longer `space`. A node that has run out of
/// descriptors or memory cannot look: that says nothing about the pod.
bool is_gone(const model::Workload& workload, const io::NetworkNamespace& space) {
  const auto now = io::NetworkNamespace::open(workload.netns_path);
  if (now) return now->id() != space.id();
  const int error = now.error().detail;
  return error != EMFILE && error != ENFILE && error != ENOMEM;
}

}  // namespace

PodSupervisor::PodSupervisor(Parts parts) : parts_(parts) {
  telemetry::Registry& registry = parts_.registry;
  active_gauge_ =
      registry.gauge("workload_manager_active_proxy_count", "Pods that are captured and served.");
  pending_gauge_ = registry.gauge("workload_manager_pending_proxy_count",
                                  "Pods that should be captured and are not; the log says why.");
  started_ = registry.counter("workload_manager_proxies_started", "Proxies started.");
  stopped_ = registry.counter("workload_manager_proxies_stopped", "Proxies ended.");
  failures_ =
      registry.counter("aquifer_capture_failures", "Attempts to capture a pod that failed.");
}

void PodSupervisor::reconcile(const model::Snapshot& snapshot) {
  std::set<std::string> wanted;
  for (const model::WorkloadPtr& workload : snapshot.workloads_on(parts_.settings.node)) {
    if (workload->capture != model::Capture::yes) continue;
    wanted.insert(workload->uid);
    const auto found = pods_.find(workload->uid);
    if (found == pods_.end()) {
      // While this process ends, a new pod is its successor's.
      if (!draining_) add(workload);
    } else {
      change(found->second, workload);
    }
  }
  for (auto it = pods_.begin(); it != pods_.end();) {
    if (wanted.contains(it->first)) {
      ++it;
      continue;
    }
    Pod leaving = std::move(it->second);
    it = pods_.erase(it);
    release(std::move(leaving));
  }
  update_metrics();
}

void PodSupervisor::add(const model::WorkloadPtr& workload) {
  // The certificate is on its way before the first connection can ask for it.
  parts_.certs.want(workload->identity);
  Pod& pod = pods_[workload->uid];
  pod.workload = workload;
  try_start(pod);
}

void PodSupervisor::change(Pod& pod, const model::WorkloadPtr& workload) {
  if (pod.workload == workload) return;
  const bool moved = pod.workload->netns_path != workload->netns_path ||
                     pod.workload->pod_uid != workload->pod_uid;
  if (moved && pod.space != nullptr) {
    Pod old = std::move(pod);
    pod = Pod{};
    pod.workload = workload;
    parts_.certs.want(workload->identity);
    abandon(std::move(old));
    try_start(pod);
    return;
  }
  if (pod.workload->identity != workload->identity) {
    parts_.certs.want(workload->identity);
    parts_.certs.forget(pod.workload->identity);
  }
  pod.workload = workload;
  if (pod.space != nullptr) {
    pod.worker->update_pod(pod.id, workload);
  } else {
    try_start(pod);
  }
}

void PodSupervisor::try_start(Pod& pod) {
  const auto started = start(pod);
  if (started) {
    pod.why.clear();
    log::info(kTarget, "pod {} is captured", pod_name(*pod.workload));
    return;
  }
  failures_.add();
  // Said again only when the reason changes: the try is repeated every few seconds.
  if (pod.why != started.error()) {
    log::error(kTarget, "pod {} is NOT captured: {}", pod_name(*pod.workload), started.error());
  }
  pod.why = started.error();
}

std::expected<void, std::string> PodSupervisor::ensure_capture() {
  if (capture_) return {};
  CaptureOptions options;
  options.ipv6 = parts_.settings.ipv6 ? Ipv6Capture::on : Ipv6Capture::off;
  options.proxy_mark = parts_.settings.packet_mark;
  options.dns = parts_.settings.dns.capture ? DnsCapture::on : DnsCapture::off;
  options.dns_port = parts_.settings.dns.port;
  auto made = Capture::create(options);
  if (!made) return std::unexpected(made.error().reason);
  capture_.emplace(std::move(*made));
  log::info(kTarget, "capturing with {}", capture_->description());
  if (!capture_->note().empty()) log::warn(kTarget, "{}", capture_->note());
  return {};
}

std::expected<void, std::string> PodSupervisor::start(Pod& pod) {
  const std::string& path = pod.workload->netns_path;
  if (path.empty())
    return std::unexpected(
        "the annotation aquifer.dev/netns is missing: say where the pod's network namespace is");
  auto space = io::NetworkNamespace::open(path);
  if (!space)
    return std::unexpected(fmt::format("network namespace {}: {}", path, space.error().message()));
  if (auto ready = ensure_capture(); !ready) return ready;
  for (const auto& [id, old] : released_) {
    if (old.space->id() == space->id()) old.worker->retire_dns_of(id);
  }
  // Listeners before rules: a captured connection always finds somebody.
  auto listeners = make_listeners(*space, parts_.settings);
  if (!listeners) return std::unexpected(listeners.error());
  if (auto installed = capture_->install(*space); !installed)
    return std::unexpected(installed.error().reason);

  pod.space = std::make_shared<const io::NetworkNamespace>(std::move(*space));
  pod.worker = &least_loaded();
  pod.id = next_id_++;
  ++load_[pod.worker];
  ++live_;
  started_.add();
  pod.worker->add_pod(pod.id, pod.workload, pod.space, std::move(*listeners),
                      [this, id = pod.id] { parts_.loop.post([this, id] { ended(id); }); });
  return {};
}

void PodSupervisor::release(Pod pod) {
  if (pod.space == nullptr) {
    parts_.certs.forget(pod.workload->identity);
    return;
  }
  // A pod that is gone from the node, not only from the mesh, has nothing left to be released.
  if (is_gone(*pod.workload, *pod.space)) {
    abandon(std::move(pod));
    return;
  }
  if (const auto released = capture_->release_redirects(*pod.space); !released) {
    log::error(kTarget, "pod {}: its redirects could not be taken out: {}", pod_name(*pod.workload),
               released.error().reason);
  }
  log::info(kTarget, "pod {} left the mesh; its open connections go on", pod_name(*pod.workload));
  pod.worker->release_pod(pod.id);
  released_[pod.id] = Released{pod.workload, pod.space, pod.worker};
}

void PodSupervisor::abandon(Pod pod) {
  log::info(kTarget, "pod {} is gone", pod_name(*pod.workload));
  capture_->forget(pod.space->id());
  pod.worker->cut_pod(pod.id);
  released_[pod.id] = Released{pod.workload, pod.space, pod.worker, true};
}

void PodSupervisor::ended(ProxyId id) {
  --live_;
  stopped_.add();
  const auto found = released_.find(id);
  if (found != released_.end()) {
    const Released gone = std::move(found->second);
    released_.erase(found);
    --load_[gone.worker];
    parts_.certs.forget(gone.workload->identity);
    const bool captured_anew = std::ranges::any_of(pods_, [&gone](const auto& entry) {
      return entry.second.space != nullptr && entry.second.space->id() == gone.space->id();
    });
    if (!gone.rules_stay && !captured_anew && !draining_) {
      if (const auto removed = capture_->remove(*gone.space); !removed) {
        log::error(kTarget, "pod {}: its rules could not be removed: {}", pod_name(*gone.workload),
                   removed.error().reason);
      }
    }
  }
  update_metrics();
}

void PodSupervisor::check() {
  if (draining_) return;
  for (auto& [uid, pod] : pods_) {
    if (pod.space == nullptr) {
      try_start(pod);
    } else {
      verify(pod);
    }
  }
  update_metrics();
}

void PodSupervisor::verify(Pod& pod) {
  if (is_gone(*pod.workload, *pod.space)) {
    const model::WorkloadPtr workload = pod.workload;
    Pod old = std::move(pod);
    pod = Pod{};
    pod.workload = workload;
    parts_.certs.want(workload->identity);
    abandon(std::move(old));
    try_start(pod);
    return;
  }
  const auto state = capture_->inspect(*pod.space);
  if (state && state->kind == CaptureState::Kind::captured) return;
  log::warn(kTarget, "pod {}: its rules were changed by somebody ({}); putting them back",
            pod_name(*pod.workload), state ? state->difference : state.error().reason);
  const auto installed = capture_->install(*pod.space);
  if (!installed)
    log::error(kTarget, "pod {} is NOT captured: {}", pod_name(*pod.workload),
               installed.error().reason);
  pod.why = installed ? "" : installed.error().reason;
}

WorkerThread& PodSupervisor::least_loaded() {
  const auto least = std::ranges::min_element(
      parts_.workers, {}, [this](const auto& worker) { return load_[worker.get()]; });
  return **least;
}

void PodSupervisor::drain() {
  draining_ = true;
  publish_local_pods();
  for (const auto& worker : parts_.workers) worker->drain_all();
}

void PodSupervisor::cut() {
  for (const auto& worker : parts_.workers) worker->cut_all();
}

std::size_t PodSupervisor::pending() const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(pods_, [](const auto& entry) { return !entry.second.why.empty(); }));
}

std::vector<PodStatus> PodSupervisor::status() const {
  std::vector<PodStatus> result;
  for (const auto& [uid, pod] : pods_) {
    const auto state = pod.why.empty() ? PodStatus::State::up : PodStatus::State::pending;
    result.push_back({uid, pod_name(*pod.workload), state, pod.why});
  }
  for (const auto& [id, pod] : released_) {
    result.push_back({pod.workload->uid, pod_name(*pod.workload), PodStatus::State::releasing, ""});
  }
  return result;
}

void PodSupervisor::publish_local_pods() {
  LocalPods pods;
  if (!draining_) {
    for (const auto& [uid, pod] : pods_) {
      if (pod.space != nullptr) pods[uid] = LocalPod{pod.worker, pod.id};
    }
  }
  if (pods == published_) return;
  published_ = pods;
  const auto shared = std::make_shared<const LocalPods>(std::move(pods));
  for (const auto& worker : parts_.workers) worker->set_local_pods(shared);
}

void PodSupervisor::update_metrics() {
  publish_local_pods();
  active_gauge_.set(static_cast<std::int64_t>(pods_.size() - pending()));
  pending_gauge_.set(static_cast<std::int64_t>(pending()));
  if (changed_) changed_();
}

}  // namespace aquifer::ztunnel
