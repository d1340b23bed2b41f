#include "ztunnel/app.h"

#include "common/admin/version.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/telemetry/process_metrics.h"
#include "ztunnel/mesh_options.h"

#include <fmt/format.h>

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <utility>

namespace aquifer::ztunnel {
namespace {

constexpr const char* kTarget = "ztunnel";

// Fewer operations than this between two checks is idle: keepalives of a few hundred tunnels.
constexpr std::uint64_t kIdleOperations = 500;

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
      fmt::print(stderr, "ztunnel: no event loop: {}\n", loop.error().message());
    } else {
      App app(settings);
      if (const auto built = app.build(**loop); !built) {
        fmt::print(stderr, "ztunnel: {}\n", built.error());
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
      traffic_(registry_),
      pod_metrics_(registry_),
      policies_(registry_, settings.policy_log_level),
      dns_metrics_(registry_),
      dns_servers_(settings.dns.upstream),
      same_node_(registry_),
      node_{settings_, registry_, traffic_, pod_metrics_, policies_, dns_metrics_, same_node_} {
  telemetry::observe_process(registry_);
  telemetry::set_build(registry_, "ztunnel", settings_.version_tag);
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
  const model::ProxyDefaults& defaults = mesh_->snapshot()->mesh_config().proxy;
  settings_.admin_port = defaults.admin_port.value_or(settings_.admin_port);
  settings_.stats_port = defaults.stats_port.value_or(settings_.stats_port);

  registry_.set_retention({.ttl = settings_.series_ttl, .exists = [this](std::uint64_t owner) {
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
    auto worker = WorkerThread::start(node_, fmt::format("worker-{}", i));
    if (!worker) return std::unexpected(fmt::format("no worker: {}", worker.error().message()));
    workers_.push_back(std::move(*worker));
  }
  const WorkerThread& first = *workers_.front();
  if (first.fallback_reason()) {
    log::warn(kTarget, "io_uring cannot be used ({}); using epoll",
              first.fallback_reason()->message());
  }
  for (const io::BackendKind kind : {io::BackendKind::uring, io::BackendKind::epoll}) {
    registry_.observe(telemetry::MetricKind::counter, "aquifer_io_operations",
                      "Operations that the loops completed.", {{"backend", io::name_of(kind)}},
                      [this, kind]() -> std::int64_t {
                        std::int64_t sum = 0;
                        for (const auto& worker : workers_) {
                          if (worker->backend() == kind)
                            sum += static_cast<std::int64_t>(worker->operations_completed());
                        }
                        return sum;
                      });
  }

  for (const auto& worker : workers_) {
    const std::string& name = worker->name();
    telemetry::observe_worker_cpu(registry_, name,
                                  [raw = worker.get()] { return raw->cpu().count(); });
    registry_.observe({.name = "aquifer_worker_unattributed_cpu_seconds",
                       .help = "The part of a worker's CPU time that no pod caused.",
                       .per_unit = telemetry::kNanosecondsPerSecond},
                      {{"worker", name}},
                      [raw = worker.get()] { return raw->nobodys_cpu().count(); });
  }

  supervisor_ = std::make_unique<PodSupervisor>(
      PodSupervisor::Parts{loop, settings_, registry_, certs, workers_});
  admin_ = std::make_unique<AdminPages>(AdminPages::Parts{loop, settings_, registry_, *mesh_, certs,
                                                          *supervisor_, workers_,
                                                          [this] { stop_asked_.notify(); }});
  return admin_->listen();
}

coro::Task<void> App::serve() {
  log::info(kTarget, "{} on node {}, {} workers, {}", admin::version_line("ztunnel"),
            settings_.node, workers_.size(), io::name_of(workers_.front()->backend()));
  for (const std::string& warning : settings_.warnings) log::warn(kTarget, "{}", warning);
  coro::CancelSource* cancel = &background_.cancel_source();
  authority_->certs().on_update([this](const ca::CertUpdate& update) {
    for (const auto& worker : workers_) worker->apply(update);
  });
  supervisor_->on_change([this] {
    admin_->set_pending_pods(supervisor_->pending());
    pods_changed_.notify();
  });
  for (const auto& worker : workers_) worker->set_snapshot(mesh_->snapshot());
  tell_dns_servers();
  supervisor_->reconcile(*mesh_->snapshot());
  admin_->set_started();

  background_.spawn(
      mesh_->run([this](const model::Store::Update& update) { on_mesh(update); }, cancel));
  background_.spawn(authority_->keep_up(*loop_, cancel));
  background_.spawn(check_pods());
  background_.spawn(admin_->serve());
  background_.spawn(wait_for_stop());
  const Status stopped = co_await stop_asked_.wait();
  AQUIFER_ASSERT(stopped.has_value());
  co_await stop_in_order();
  co_await admin_->stop();
  background_.cancel();
  co_await background_.join();
}

void App::on_mesh(const model::Store::Update& update) {
  for (const auto& worker : workers_) worker->set_snapshot(update.after);
  supervisor_->reconcile(*update.after);
}

coro::Task<void> App::stop_in_order() {
  log::info(kTarget, "draining for at most {} ms",
            std::chrono::duration_cast<std::chrono::milliseconds>(settings_.termination_deadline)
                .count());
  admin_->set_draining();
  supervisor_->drain();
  const Deadline deadline = loop_->after(settings_.termination_deadline);
  while (supervisor_->live() > 0) {
    const Status woken = co_await io::wait_event(*loop_, pods_changed_, deadline);
    if (woken) continue;
    log::warn(kTarget, "drain duration expired with pending connections, forcefully shutting down");
    supervisor_->cut();
    break;
  }
  while (supervisor_->live() > 0) {
    const Status woken = co_await pods_changed_.wait();
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
    if (asked) supervisor_->cut();
    asked = true;
    stop_asked_.notify();
  }
  signals_->forget(*loop_);
}

coro::Task<void> App::check_pods() {
  coro::CancelSource* cancel = &background_.cancel_source();
  for (;;) {
    const Status slept =
        co_await io::sleep_until(*loop_, loop_->after(PodSupervisor::kCheckInterval), cancel);
    if (!slept) co_return;
    supervisor_->check();
    if (dns_servers_.poll()) tell_dns_servers();
    if (!start_forgotten_ && supervisor_->pending() == 0) {
      start_forgotten_ = true;
      forget_code_of_start();
    }
    trim_memory_when_idle();
  }
}

void App::tell_dns_servers() {
  if (!settings_.dns.capture) return;
  const dns::ServersPtr& servers = dns_servers_.current();
  log::info(kTarget, "DNS queries of pods are forwarded to: {}", dns::describe(*servers));
  for (const auto& worker : workers_) worker->set_dns_servers(servers);
}

void App::trim_memory_when_idle() {
  std::uint64_t completed = 0;
  for (const auto& worker : workers_) completed += worker->operations_completed();
  const bool idle = completed - operations_at_check_ < kIdleOperations;
  operations_at_check_ = completed;
  // Walking the allocator's arenas holds their locks: not while connections are waiting for them.
  if (idle) ::malloc_trim(1 << 20);
}

}  // namespace aquifer::ztunnel
