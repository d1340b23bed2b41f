#include "config/manifests/mesh_watch.h"

#include "common/base/log.h"
#include "common/io/readiness.h"

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

constexpr const char* kTarget = "config";

}  // namespace

std::expected<std::unique_ptr<MeshWatch>, std::string> MeshWatch::open(
    io::Loop& loop, std::string path, LoadOptions options, telemetry::Registry& registry) {
  const std::vector<std::filesystem::path> paths{path};
  // The watch comes first: a change between it and the first load is then seen.
  auto watcher = Watcher::open(paths, loop.now());
  if (!watcher) return std::unexpected(path + ": cannot be watched: " + watcher.error().message());
  MeshSource source(paths, std::move(options));
  auto loaded = source.load();
  if (!loaded) {
    std::string text = render(loaded.error());
    while (text.ends_with('\n')) text.pop_back();
    return std::unexpected(std::move(text));
  }
  auto watch = std::unique_ptr<MeshWatch>(
      new MeshWatch(loop, std::move(*watcher), std::move(source), registry));
  watch->take(std::move(*loaded), [](const model::Store::Update&) {});
  return watch;
}

MeshWatch::MeshWatch(io::Loop& loop, Watcher watcher, MeshSource source,
                     telemetry::Registry& registry)
    : loop_(loop), watcher_(std::move(watcher)), source_(std::move(source)) {
  channel_.fd = watcher_.fd();
  loads_ = registry.counter("aquifer_config_loads", "Times the mesh was read and taken over.");
  refusals_ = registry.counter("aquifer_config_refusals",
                               "Times a changed mesh was refused and the last good one kept.");
  in_force_ = registry.gauge("aquifer_config_current",
                             "1 while the newest files are in force, 0 while they are refused.");
}

coro::Task<void> MeshWatch::run(Changed changed, coro::CancelSource* cancel) {
  for (;;) {
    io::Readable wait(loop_, channel_, watcher_.wake_at(), cancel);
    const Status woken = co_await wait;
    if (!woken && woken.error().code != Errc::timed_out) break;
    watcher_.read_events(loop_.now());
    if (!watcher_.take_due(loop_.now())) continue;
    auto loaded = source_.load();
    if (loaded) {
      take(std::move(*loaded), changed);
    } else {
      refuse(loaded.error());
    }
  }
  loop_.backend().forget(channel_);
}

void MeshWatch::take(LoadedMesh mesh, const Changed& changed) {
  loads_.add();
  in_force_.set(1);
  if (!refusal_.empty()) log::info(kTarget, "the mesh is good again and in force");
  refusal_.clear();
  // Each warning is said once, when it first appears.
  for (const Diagnostic& warning : mesh.warnings) {
    if (std::ranges::find(warnings_, warning) == warnings_.end())
      log::warn(kTarget, "{}", render(warning));
  }
  warnings_ = std::move(mesh.warnings);
  const model::Store::Update update = store_.replace(mesh.state);
  if (update.before == update.after) return;
  log::info(kTarget, "mesh version {}: {} workloads, {} services", update.after->version(),
            update.after->workload_count(), update.after->service_count());
  changed(update);
}

void MeshWatch::refuse(const std::vector<Diagnostic>& diagnostics) {
  refusals_.add();
  in_force_.set(0);
  std::string text = render(diagnostics);
  if (text == refusal_) return;
  refusal_ = std::move(text);
  for (const Diagnostic& diagnostic : diagnostics) log::error(kTarget, "{}", render(diagnostic));
  log::error(kTarget, "the changed mesh is refused; the last good one stays in force");
}

}  // namespace aquifer::manifests
