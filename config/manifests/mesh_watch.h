// The mesh directory, watched: each good change becomes a snapshot, each broken one is refused
// whole and said. Control thread.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/io/loop.h"
#include "common/telemetry/metrics.h"
#include "config/manifests/mesh_source.h"
#include "config/manifests/watcher.h"
#include "config/model/store.h"

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace aquifer::manifests {

class MeshWatch {
 public:
  using Changed = std::function<void(const model::Store::Update&)>;

  /// Reads the mesh for the first time; the text is what standard error gets when it cannot be
  /// used.
  [[nodiscard]] static std::expected<std::unique_ptr<MeshWatch>, std::string> open(
      io::Loop& loop, std::string path, LoadOptions options, telemetry::Registry& registry);

  /// Runs until cancelled. `changed` is called after each change that made a difference.
  [[nodiscard]] coro::Task<void> run(Changed changed, coro::CancelSource* cancel);

  [[nodiscard]] const model::SnapshotPtr& snapshot() const noexcept { return store_.current(); }
  /// Why the newest files are not in force; empty when they are.
  [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }
  [[nodiscard]] const std::vector<Diagnostic>& warnings() const noexcept { return warnings_; }

 private:
  MeshWatch(io::Loop& loop, Watcher watcher, MeshSource source, telemetry::Registry& registry);
  void take(LoadedMesh mesh, const Changed& changed);
  void refuse(const std::vector<Diagnostic>& diagnostics);

  io::Loop& loop_;
  Watcher watcher_;
  io::Channel channel_;
  MeshSource source_;
  model::Store store_;
  std::string refusal_;
  std::vector<Diagnostic> warnings_;
  telemetry::Counter loads_;
  telemetry::Counter refusals_;
  telemetry::Gauge in_force_;
};

}  // namespace aquifer::manifests
