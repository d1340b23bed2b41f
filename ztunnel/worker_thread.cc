#include "ztunnel/worker_thread.h"

#include "common/io/netns.h"

#include <pthread.h>

#include <utility>

namespace aquifer::ztunnel {

struct WorkerThread::Loopside {
  Loopside(io::Loop& loop, const Node& node) : worker(loop, node) {}
  Worker worker;
  Pods pods;
  coro::Event stop;
  coro::Scope scope;
};

Result<std::unique_ptr<WorkerThread>> WorkerThread::start(const Node& node, std::string name) {
  auto worker = std::unique_ptr<WorkerThread>(new WorkerThread(node, std::move(name)));
  std::promise<Status> started;
  auto ready = started.get_future();
  worker->thread_ = std::thread([raw = worker.get(), &started] {
    pthread_setname_np(pthread_self(), raw->name().c_str());
    raw->main(started);
  });
  const Status status = ready.get();
  if (!status) return std::unexpected(status.error());
  return worker;
}

void WorkerThread::main(std::promise<Status>& started) {
  // A thread's first guard opens its own namespace, and keeps it open: made here, a worker holds as
  // many descriptors before its first pod as after its last.
  if (const auto own = io::NetworkNamespace::current()) {
    std::ignore = io::NamespaceGuard::enter(*own);
  }
  auto loop = io::Loop::create(node_.settings.backend);
  if (!loop) {
    started.set_value(std::unexpected(loop.error()));
    return;
  }
  auto released = released_.get_future();
  Loopside side(**loop, node_);
  loop_ = loop->get();
  side_ = &side;
  started.set_value({});
  (*loop)->run(serve(side));
  released.get();
}

coro::Task<void> WorkerThread::serve(Loopside& side) {
  const Status stopped = co_await side.stop.wait();
  AQUIFER_ASSERT(stopped.has_value());
  for (auto& [id, pod] : side.pods) pod->cut();
  co_await side.scope.join();
}

WorkerThread::~WorkerThread() {
  if (loop_ != nullptr) {
    loop_->post([side = side_] { side->stop.notify(); });
    released_.set_value();
  }
  if (thread_.joinable()) thread_.join();
}

void WorkerThread::set_snapshot(model::SnapshotPtr snapshot) {
  loop_->post([side = side_, snapshot = std::move(snapshot)]() mutable {
    const model::SnapshotPtr before = std::exchange(side->worker.snapshot, std::move(snapshot));
    const model::Books& books = side->worker.snapshot->books();
    const bool same = before->books().authorization == books.authorization &&
                      before->books().egress == books.egress &&
                      before->books().network == books.network;
    for (auto& [id, pod] : side->pods) {
      pod->mesh_changed();
      if (!same) pod->judge_again();
    }
  });
}

void WorkerThread::apply(ca::CertUpdate update) {
  loop_->post([side = side_, update = std::move(update)] { side->worker.certs.apply(update); });
}

void WorkerThread::set_dns_servers(dns::ServersPtr servers) {
  loop_->post([side = side_, servers = std::move(servers)]() mutable {
    side->worker.dns_servers = std::move(servers);
  });
}

void WorkerThread::add_pod(ProxyId id, model::WorkloadPtr pod,
                           std::shared_ptr<const io::NetworkNamespace> space,
                           PodListeners listeners, std::function<void()> ended) {
  loop_->post([side = side_, id, pod = std::move(pod), space = std::move(space),
               listeners = std::move(listeners), ended = std::move(ended)]() mutable {
    side->pods[id] = std::make_unique<PodProxy>(side->worker, std::move(pod), std::move(space),
                                                std::move(listeners));
    side->scope.spawn(run_pod(*side, id, std::move(ended)));
  });
}

coro::Task<void> WorkerThread::run_pod(Loopside& side, ProxyId id, std::function<void()> ended) {
  PodProxy& pod = *side.pods[id];
  co_await pod.run();
  side.pods.erase(id);
  ended();
}

void WorkerThread::with_pod(ProxyId id, std::function<void(PodProxy&)> action) {
  loop_->post([side = side_, id, action = std::move(action)] {
    const auto found = side->pods.find(id);
    if (found != side->pods.end()) action(*found->second);
  });
}

void WorkerThread::set_local_pods(LocalPodsPtr pods) {
  loop_->post([side = side_, pods = std::move(pods)]() mutable {
    side->worker.local_pods = std::move(pods);
  });
}

void WorkerThread::hand_over(ProxyId id, HandoverPtr handover) {
  run_there(*loop_, [side = side_, id, handover = std::move(handover)] {
    const auto found = side->pods.find(id);
    if (found != side->pods.end()) {
      found->second->take_over(handover);
    } else {
      handover->answer(Handover::Answer::kNotHere);
    }
  });
}

void WorkerThread::update_pod(ProxyId id, model::WorkloadPtr pod) {
  with_pod(id, [pod = std::move(pod)](PodProxy& proxy) { proxy.update(pod); });
}

void WorkerThread::release_pod(ProxyId id) {
  with_pod(id, [](PodProxy& proxy) { proxy.release(); });
}

void WorkerThread::retire_dns_of(ProxyId id) {
  with_pod(id, [](PodProxy& proxy) { proxy.retire_dns(); });
}

void WorkerThread::cut_pod(ProxyId id) {
  with_pod(id, [](PodProxy& proxy) { proxy.cut(); });
}

void WorkerThread::look(std::function<void(Worker&, const Pods&)> look) {
  loop_->post([side = side_, look = std::move(look)] { look(side->worker, side->pods); });
}

void WorkerThread::drain_all() {
  loop_->post([side = side_] {
    for (auto& [id, pod] : side->pods) pod->drain();
  });
}

void WorkerThread::cut_all() {
  loop_->post([side = side_] {
    for (auto& [id, pod] : side->pods) pod->cut();
  });
}

}  // namespace aquifer::ztunnel
