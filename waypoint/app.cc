#include "waypoint/app.h"

#include "common/admin/server.h"
#include "common/admin/version.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/telemetry/process_metrics.h"
#include "waypoint/self.h"

#include <fmt/format.h>

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace aquifer::waypoint {
namespace {

constexpr const char* kTarget = "waypoint";

}  // namespace

int App::run(const Settings& settings) {
  raise_descriptor_limit();
  tune_allocator();
  log::init(settings.log);
  telemetry::set_access_filter(settings.access_log);
  int code = 1;
  {
    // The control thread waits for files, signals and a few HTTP requests: epoll serves that with
    // the least memory.
    auto loop = io::Loop::create(io::BackendChoice::epoll);
    if (!loop) {
      fmt::print(stderr, "waypoint: no event loop: {}\n", loop.error().message());
    } else {
      App app(settings);
      if (const auto built = app.build(**loop); !built) {
        fmt::print(stderr, "waypoint: {}\n", built.error());
        (*loop)->run(app.end_workers());
      } else {
        (*loop)->run(app.serve());
        code = 0;
      }
      app.workers_.clear();
    }
  }
  log::shutdown();
  return code;
}

App::App(const Settings& settings)
    : settings_(settings),
      metrics_(registry_),
      node_{settings_, circuits_, metrics_, {}},
      self_(std::make_shared<const Self>()) {
  telemetry::observe_process(registry_);
  telemetry::set_build(registry_, "waypoint", settings_.version_tag);
}

std::expected<void, std::string> App::build(io::Loop& loop) {
  loop_ = &loop;
  auto signals = admin::Signals::open();
  if (!signals) return std::unexpected(signals.error().message());
  signals_ = std::make_unique<admin::Signals>(std::move(*signals));

  auto mesh =
      manifests::MeshWatch::open(loop, settings_.mesh_path, load_options_of(settings_), registry_);
  if (!mesh) return std::unexpected(mesh.error());
  mesh_ = std::move(*mesh);
  registry_.set_retention({.exists = [this](std::uint64_t owner) {
    return workload_names_.contains(*mesh_->snapshot(), owner);
  }});

  ca::EmbeddedCaOptions ca_options;
  ca_options.directory = settings_.ca_dir;
  ca_options.trust_domain = mesh_->snapshot()->mesh_config().trust_domain;
  ca_options.leaf_lifetime = settings_.secret_ttl;
  auto authority = ca::Authority::open(std::move(ca_options), settings_.key_exchange);
  if (!authority) return std::unexpected(authority.error());
  authority_ = std::move(*authority);
  ca::CertManager& certs = authority_->certs();

  for (std::uint32_t i = 0; i < settings_.workers; ++i) {
    auto worker = WorkerThread::start(node_, i);
    if (!worker) return std::unexpected(fmt::format("no worker: {}", worker.error().message()));
    workers_.push_back(std::move(*worker));
  }
  for (const auto& worker : workers_) node_.workers.push_back(&worker->worker());
  admin_ = std::make_unique<AdminPages>(
      AdminPages::Parts{loop, settings_, registry_, *mesh_, certs, workers_,
                        [this] { stop_asked_.notify(); }, [this] { return self_; }});
  observe();
  if (auto opened = admin_->listen(); !opened) return opened;
  if (settings_.plain) {
    if (auto opened = listen(settings_.plain->listen_port, plain_listeners_); !opened)
      return opened;
  }
  return listen(settings_.tunnel_port, listeners_);
}

// One socket for each loop: the kernel spreads the connections over them.
std::expected<void, std::string> App::listen(std::uint16_t port, std::vector<Fd>& out) {
  io::ListenOptions options;
  options.reuse_port = true;
  const IpAddress any = settings_.ipv6 ? IpAddress::any_v6() : IpAddress::any_v4();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    auto listener = admin::listen_tcp(SocketAddress{any, port}, options);
    if (!listener && any.is_v6())
      listener = admin::listen_tcp(SocketAddress{IpAddress::any_v4(), port}, options);
    if (!listener) {
      return std::unexpected(
          fmt::format("listening on port {}: {}", port, listener.error().message()));
    }
    out.push_back(std::move(*listener));
  }
  return {};
}

void App::observe() {
  using telemetry::MetricKind;
  for (const auto& worker : workers_) {
    registry_.observe(MetricKind::gauge, "aquifer_waypoint_exchanges", "Requests under way.",
                      {{"worker", worker->name()}}, [raw = &worker->worker()]() -> std::int64_t {
                        return raw->exchanges.load(std::memory_order_relaxed);
                      });
    telemetry::observe_worker_cpu(registry_, worker->name(),
                                  [raw = &worker->loop()] { return raw->thread_cpu().count(); });
  }
  registry_.observe(MetricKind::gauge, "aquifer_waypoint_upstream_connections",
                    "Open HTTP connections to endpoints.", {}, [this]() -> std::int64_t {
                      return static_cast<std::int64_t>(circuits_.totals(loop_->now()).connections);
                    });
  registry_.observe(MetricKind::gauge, "aquifer_waypoint_ejected_endpoints",
                    "Endpoints that are left out because they failed.", {},
                    [this]() -> std::int64_t {
                      return static_cast<std::int64_t>(circuits_.totals(loop_->now()).ejected);
                    });
}

coro::Task<void> App::serve() {
  log::info(kTarget, "{} for {}, {} workers, {}", admin::version_line("waypoint"),
            settings_.gateway, workers_.size(),
            io::name_of(workers_.front()->loop().backend_kind()));
  coro::CancelSource* cancel = &background_.cancel_source();
  authority_->certs().on_update([this](const ca::CertUpdate& update) {
    for (const auto& worker : workers_) worker->apply(update);
  });
  // What was fetched goes from the fetcher's thread to this one, and from here to the workers.
  key_fetcher_ = std::make_unique<KeyFetcher>([this](const FetchedKeysPtr& keys) {
    loop_->post([this, keys] {
      for (const auto& worker : workers_) {
        worker->look([keys](Worker& one) { one.token_keys.set_fetched(keys); });
      }
    });
  });
  on_mesh(mesh_->snapshot());
  for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i]->listen(std::move(listeners_[i]));
  for (std::size_t i = 0; i < plain_listeners_.size(); ++i)
    workers_[i]->listen_plain(std::move(plain_listeners_[i]), *settings_.plain);
  admin_->set_started();

  background_.spawn(
      mesh_->run([this](const model::Store::Update& update) { on_mesh(update.after); }, cancel));
  background_.spawn(authority_->keep_up(*loop_, cancel));
  background_.spawn(trim_memory());
  background_.spawn(admin_->serve());
  background_.spawn(wait_for_stop());
  const Status stopped = co_await stop_asked_.wait();
  AQUIFER_ASSERT(stopped.has_value());
  co_await drain();
  key_fetcher_.reset();
  co_await end_workers();
  co_await admin_->stop();
  background_.cancel();
  co_await background_.join();
}

void App::on_mesh(const model::SnapshotPtr& snapshot) {
  auto self = find_self(*snapshot, settings_.gateway, settings_.network, settings_.cluster_domain,
                        own_addresses());
  if (self->identity.empty()) {
    log::warn(kTarget, "the mesh has no pod of the waypoint {}: no connection can be taken",
              settings_.gateway);
  }
  if (self->identity != self_->identity) {
    if (!self->identity.empty()) authority_->certs().want(self->identity);
    if (!self_->identity.empty()) authority_->certs().forget(self_->identity);
  }
  self_ = std::move(self);
  admin_->set_known(!self_->identity.empty());
  for (const auto& worker : workers_) worker->set_snapshot(snapshot, self_);
  if (key_fetcher_ != nullptr) key_fetcher_->want(keys_wanted_by(*snapshot->books().security));
}

// Clients are told to go elsewhere; what they have asked already is answered, until the deadline.
coro::Task<void> App::drain() {
  log::info(
      kTarget, "draining for at most {} ms",
      std::chrono::duration_cast<std::chrono::milliseconds>(settings_.drain_deadline).count());
  admin_->set_draining();
  for (const auto& worker : workers_) worker->drain();
  const Deadline deadline = loop_->after(settings_.drain_deadline);
  constexpr auto kInterval = std::chrono::milliseconds(50);
  while (!deadline.expired(loop_->now()) && !hurried_) {
    auto left = std::make_shared<std::atomic<std::size_t>>(0);
    for (const auto& worker : workers_)
      worker->count([left](std::size_t busy) { left->fetch_add(busy); });
    const Status slept = co_await io::sleep_until(*loop_, loop_->after(kInterval));
    AQUIFER_ASSERT(slept.has_value());
    if (left->load() == 0) co_return;
  }
  log::warn(kTarget, "{} with open connections, forcefully shutting down",
            hurried_ ? "asked to stop again" : "drain duration expired");
}

coro::Task<void> App::end_workers() {
  coro::Event ended;
  std::size_t left = workers_.size();
  for (const auto& worker : workers_) {
    worker->stop([this, &ended, &left] {
      loop_->post([&ended, &left] {
        --left;
        ended.notify();
      });
    });
  }
  while (left > 0) {
    const Status woken = co_await ended.wait();
    AQUIFER_ASSERT(woken.has_value());
  }
}

coro::Task<void> App::wait_for_stop() {
  coro::CancelSource* cancel = &background_.cancel_source();
  bool asked = false;
  for (;;) {
    const auto number = co_await signals_->next(*loop_, cancel);
    if (!number) break;
    // A second one says that the operator does not want to wait.
    hurried_ = asked;
    asked = true;
    stop_asked_.notify();
  }
  signals_->forget(*loop_);
}

coro::Task<void> App::trim_memory() {
  coro::CancelSource* cancel = &background_.cancel_source();
  constexpr auto kInterval = std::chrono::seconds(10);
  // Fewer operations than this between two looks is idle.
  constexpr std::uint64_t kIdleOperations = 2'000;
  std::uint64_t before = 0;
  for (;;) {
    const Status slept = co_await io::sleep_until(*loop_, loop_->after(kInterval), cancel);
    if (!slept) co_return;
    std::uint64_t now = 0;
    for (const auto& worker : workers_) now += worker->loop().operations_completed();
    if (now - before < kIdleOperations) ::malloc_trim(1 << 20);
    before = now;
  }
}

}  // namespace aquifer::waypoint
