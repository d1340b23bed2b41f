// Notices that a mesh directory changed, by inotify, and waits until the change looks finished.
// Owned by the control thread, which polls fd() and asks take_due(); nothing here waits or starts a
// thread.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/base/time.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace aquifer::manifests {

/// Open it before the first load, or a change between the two goes unseen. Use:
///
///     poll fd() for reading until wake_at(); then
///     watcher.read_events(now);
///     if (watcher.take_due(now)) load again;
///
/// It sees files written in place, renamed into place and deleted; directories deleted and made
/// again; and symbolic links swapped as Kubernetes does for mounted ConfigMaps (`..data`). Links to
/// other places outside the directory are followed for reading but not watched.
class Watcher {
 public:
  /// The paths as they are given to MeshSource; they need not exist yet.
  [[nodiscard]] static Result<Watcher> open(std::vector<std::filesystem::path> paths, MonoTime now);

  [[nodiscard]] int fd() const noexcept { return inotify_.get(); }
  /// Takes what the kernel has reported. Never blocks.
  void read_events(MonoTime now);
  /// When take_due() is to be asked even though nothing was reported.
  [[nodiscard]] Deadline wake_at() const noexcept;
  /// True exactly when something changed, no file is open for writing any more and nothing has
  /// happened for kQuietTime - or kPatience has passed since the first change. Then the change
  /// counts as seen.
  [[nodiscard]] bool take_due(MonoTime now);

 private:
  // Which entries of one watched directory matter.
  struct Interest {
    bool manifests = false;
    std::set<std::string, std::less<>> names;
  };
  struct Watched {
    std::filesystem::path directory;
    Interest interest;
  };

  explicit Watcher(std::vector<std::filesystem::path> paths, Fd inotify);
  [[nodiscard]] std::map<std::filesystem::path, Interest> wanted_places() const;
  // Watches all places as they are now; forgets directories that are no longer in their place.
  Status arm(MonoTime now);
  void take_event(int watch, std::uint32_t mask, std::string_view name, MonoTime now);
  void note_change(MonoTime now);

  std::vector<std::filesystem::path> paths_;
  Fd inotify_;
  std::map<int, Watched> watched_;
  // Files that were modified and not closed since.
  std::set<std::pair<int, std::string>> being_written_;
  std::optional<MonoTime> first_change_;
  MonoTime last_change_;
  // Set while a place is missing: when to look again.
  std::optional<MonoTime> look_again_;
};

}  // namespace aquifer::manifests
