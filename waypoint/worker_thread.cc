#include "waypoint/worker_thread.h"

#include "waypoint/plain_listener.h"
#include "waypoint/terminator.h"

#include <fmt/format.h>

#include <pthread.h>

#include <utility>

namespace aquifer::waypoint {

struct WorkerThread::Loopside {
  Loopside(io::Loop& loop, const Node& node, std::size_t index) : worker(loop, node, index) {}
  Worker worker;
  std::unique_ptr<Terminator> terminator;
  std::unique_ptr<PlainListener> plain;
  std::function<void()> ended;
  coro::Event stop_asked;
  coro::Event leave_asked;
  coro::Scope scope;
};

WorkerThread::WorkerThread(const Node& node, std::size_t index)
    : node_(node), index_(index), name_(fmt::format("worker-{}", index)) {}

Result<std::unique_ptr<WorkerThread>> WorkerThread::start(const Node& node, std::size_t index) {
  auto worker = std::unique_ptr<WorkerThread>(new WorkerThread(node, index));
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
  auto loop = io::Loop::create(node_.settings.backend);
  if (!loop) {
    started.set_value(std::unexpected(loop.error()));
    return;
  }
  (*loop)->run(serve(*this, **loop, started));
}

Worker& WorkerThread::worker() noexcept {
  return side_->worker;
}

coro::Task<void> WorkerThread::serve(WorkerThread& self, io::Loop& loop,
                                     std::promise<Status>& started) {
  Loopside side(loop, self.node_, self.index_);
  self.loop_ = &loop;
  self.side_ = &side;
  side.scope.spawn(sweep(side));
  started.set_value({});
  const Status stopped = co_await side.stop_asked.wait();
  AQUIFER_ASSERT(stopped.has_value());
  if (side.terminator != nullptr) side.terminator->cut();
  if (side.plain != nullptr) side.plain->cut();
  side.worker.guests.cancel();
  side.scope.cancel();
  co_await side.scope.join();
  co_await side.worker.guests.join();
  co_await side.worker.mirrors.stop();
  co_await side.worker.upstreams.stop();
  co_await side.worker.connector.tunnels().stop();
  side.ended();
  // Others may still post to this loop until all have ended.
  const Status left = co_await side.leave_asked.wait();
  AQUIFER_ASSERT(left.has_value());
}

WorkerThread::~WorkerThread() {
  if (loop_ != nullptr) loop_->post([side = side_] { side->leave_asked.notify(); });
  if (thread_.joinable()) thread_.join();
}

void WorkerThread::listen(Fd listener) {
  auto held = std::make_shared<Fd>(std::move(listener));
  loop_->post([side = side_, held] {
    side->terminator = std::make_unique<Terminator>(side->worker, std::move(*held));
    side->scope.spawn(side->terminator->run());
  });
}

void WorkerThread::listen_plain(Fd listener, PlainService service) {
  auto held = std::make_shared<Fd>(std::move(listener));
  loop_->post([side = side_, held, service = std::move(service)] {
    side->plain = std::make_unique<PlainListener>(side->worker, std::move(*held), service);
    side->scope.spawn(side->plain->run());
  });
}

coro::Task<void> WorkerThread::sweep(Loopside& side) {
  constexpr auto kInterval = std::chrono::seconds(10);
  io::Loop& loop = side.worker.loop;
  for (;;) {
    const Status slept =
        co_await io::sleep_until(loop, loop.after(kInterval), &side.scope.cancel_source());
    if (!slept) co_return;
    side.worker.clusters.sweep(*side.worker.snapshot);
    side.worker.series.sweep();
  }
}

void WorkerThread::set_snapshot(model::SnapshotPtr snapshot, SelfPtr self) {
  loop_->post([side = side_, snapshot = std::move(snapshot), self = std::move(self)]() mutable {
    side->worker.snapshot = std::move(snapshot);
    // A waypoint whose record is missing for a while has not moved.
    if (self->workload != nullptr) side->worker.clusters.stand_at(self->standpoint);
    side->worker.self = std::move(self);
  });
}

void WorkerThread::apply(ca::CertUpdate update) {
  loop_->post([side = side_, update = std::move(update)] { side->worker.certs.apply(update); });
}

void WorkerThread::drain() {
  loop_->post([side = side_] {
    side->worker.draining = true;
    if (side->terminator != nullptr) side->terminator->drain();
    if (side->plain != nullptr) side->plain->drain();
    side->worker.drains.drain_all();
  });
}

void WorkerThread::count(std::function<void(std::size_t)> tell) {
  loop_->post([side = side_, tell = std::move(tell)] {
    const std::size_t tunnels = side->terminator != nullptr ? side->terminator->tunnels() : 0;
    const std::size_t plain = side->plain != nullptr ? side->plain->connections() : 0;
    tell(tunnels + plain + side->worker.live.size());
  });
}

void WorkerThread::stop(std::function<void()> ended) {
  loop_->post([side = side_, ended = std::move(ended)]() mutable {
    side->ended = std::move(ended);
    side->stop_asked.notify();
  });
}

void WorkerThread::look(std::function<void(Worker&)> look) {
  loop_->post([side = side_, look = std::move(look)] { look(side->worker); });
}

}  // namespace aquifer::waypoint
