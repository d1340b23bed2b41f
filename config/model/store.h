// The current snapshot and how it is replaced. Owned by the control thread alone; it hands each new
// snapshot to the loops by mailbox, so no reader ever waits for a writer.
#pragma once

#include "config/model/snapshot.h"

#include <string_view>
#include <utility>
#include <vector>

namespace aquifer::model {

/// Everything there is, as a source that knows only the whole (a mesh directory) tells it.
struct FullState {
  MeshConfig mesh_config;
  std::vector<WorkloadPtr> workloads;
  std::vector<ServiceRecord> services;
  Books books;
};

/// The smallest batch that turns `current` into `wanted`: equal records are left out and so keep
/// their place in memory, and whoever holds them.
[[nodiscard]] Changes changes_between(const Snapshot& current, const FullState& wanted);

struct LocalChange {
  WorkloadPtr before;
  WorkloadPtr after;
};

/// What became of the pods of one node. A pod made again under its old name counts as removed and
/// added.
struct LocalChanges {
  std::vector<WorkloadPtr> added;
  std::vector<WorkloadPtr> removed;
  std::vector<LocalChange> changed;

  [[nodiscard]] bool empty() const noexcept {
    return added.empty() && removed.empty() && changed.empty();
  }
};

[[nodiscard]] LocalChanges local_changes(const Snapshot& before, const Snapshot& after,
                                         std::string_view node);

class Store {
 public:
  struct Update {
    SnapshotPtr before;
    SnapshotPtr after;
  };

  Store();
  [[nodiscard]] const SnapshotPtr& current() const noexcept { return current_; }
  /// An empty batch changes nothing: before and after are the same snapshot.
  Update apply(const Changes& changes);
  Update replace(const FullState& wanted) { return apply(changes_between(*current_, wanted)); }

 private:
  SnapshotPtr current_;
};

}  // namespace aquifer::model
