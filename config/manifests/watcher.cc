#include "config/manifests/watcher.h"

#include "config/manifests/limits.h"
#include "config/manifests/mesh_source.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace aquifer::manifests {
namespace {

namespace fs = std::filesystem;

// One mask for all: a second watch on a directory would replace the mask of the first.
constexpr std::uint32_t kMask = IN_MODIFY | IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM |
                                IN_MOVED_TO | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |
                                IN_MOVE_SELF | IN_ONLYDIR;
// The watched directory itself is no longer what it was.
constexpr std::uint32_t kSelfGone = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT;
// The link that Kubernetes swaps to change all files of a mounted ConfigMap at once.
constexpr std::string_view kConfigMapLink = "..data";
// About 60 events with names of ordinary length at a time.
constexpr std::size_t kEventBytes = 4096;
// Then the loop gets its turn; the rest is still readable.
constexpr int kReadsPerWake = 64;

// An absolute path without "." parts and without a slash at its end; links stay as they are.
fs::path normal(const fs::path& path) {
  std::error_code error;
  fs::path absolute = fs::absolute(path, error).lexically_normal();
  if (!absolute.has_filename() && absolute.has_parent_path() && absolute != absolute.root_path()) {
    absolute = absolute.parent_path();
  }
  return absolute;
}

}  // namespace

Watcher::Watcher(std::vector<fs::path> paths, Fd inotify)
    : paths_(std::move(paths)), inotify_(std::move(inotify)) {}

Result<Watcher> Watcher::open(std::vector<fs::path> paths, MonoTime now) {
  Fd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify) return fail(error_from_errno(errno, "watching the mesh directory"));
  for (fs::path& path : paths) path = normal(path);
  Watcher watcher(std::move(paths), std::move(inotify));
  TRY_VOID(watcher.arm(now));
  return watcher;
}

std::map<fs::path, Watcher::Interest> Watcher::wanted_places() const {
  std::map<fs::path, Interest> places;
  for (const fs::path& path : paths_) {
    // The parent tells when the path itself is replaced.
    places[path.parent_path()].names.insert(path.filename());
    std::error_code error;
    if (fs::is_directory(path, error)) {
      places[path].manifests = true;
      continue;
    }
    // A file behind a link changes where it is.
    const fs::path real = fs::canonical(path, error);
    if (!error) places[real.parent_path()].names.insert(real.filename());
  }
  return places;
}

Status Watcher::arm(MonoTime now) {
  std::map<int, Watched> armed;
  bool missing = false;
  for (auto& [directory, interest] : wanted_places()) {
    const int watch = ::inotify_add_watch(inotify_.get(), directory.c_str(), kMask);
    if (watch < 0 && (errno == ENOSPC || errno == ENOMEM)) {
      return fail(
          error_from_errno(errno, "watching the mesh directory (fs.inotify.max_user_watches)"));
    }
    if (watch < 0) {
      missing = true;
      continue;
    }
    // Two paths may be one directory.
    Watched& entry = armed[watch];
    entry.directory = directory;
    entry.interest.manifests = entry.interest.manifests || interest.manifests;
    entry.interest.names.merge(interest.names);
  }
  for (const fs::path& path : paths_) {
    std::error_code error;
    missing = missing || !fs::exists(path, error);
  }
  for (const auto& [watch, entry] : watched_) {
    if (!armed.contains(watch)) ::inotify_rm_watch(inotify_.get(), watch);
  }
  watched_ = std::move(armed);
  look_again_.reset();
  if (missing) look_again_ = now + kReappearInterval;
  return {};
}

void Watcher::read_events(MonoTime now) {
  alignas(inotify_event) std::array<char, kEventBytes> buffer;
  for (int i = 0; i < kReadsPerWake; ++i) {
    const ssize_t bytes = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (bytes <= 0) return;
    for (std::size_t at = 0; at < static_cast<std::size_t>(bytes);) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      // The name is padded with zeros up to `len`.
      const std::string_view name =
          event.len > 0 ? std::string_view(buffer.data() + at + sizeof event) : "";
      take_event(event.wd, event.mask, name, now);
      at += sizeof event + event.len;
    }
  }
}

void Watcher::take_event(int watch, std::uint32_t mask, std::string_view name, MonoTime now) {
  if ((mask & IN_Q_OVERFLOW) != 0) {
    // Which files were closed is no longer known.
    being_written_.clear();
    return note_change(now);
  }
  const auto at = watched_.find(watch);
  if (at == watched_.end()) return;
  if ((mask & kSelfGone) != 0) {
    std::erase_if(being_written_, [&](const auto& file) { return file.first == watch; });
    // The kernel has dropped the watch, or it follows a directory that was moved away: look for the
    // path again.
    if ((mask & IN_IGNORED) != 0) watched_.erase(at);
    look_again_ = now;
    return note_change(now);
  }
  const Interest& interest = at->second.interest;
  const bool link = name == kConfigMapLink;
  const bool named = interest.names.contains(name);
  if (!link && !named && !(interest.manifests && is_manifest_name(name))) return;
  if ((mask & IN_MODIFY) != 0) being_written_.emplace(watch, name);
  if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)) != 0) {
    being_written_.erase({watch, std::string(name)});
  }
  // A path or link that was replaced may now lead to another directory.
  if ((link || named) && (mask & (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)) != 0)
    look_again_ = now;
  note_change(now);
}

void Watcher::note_change(MonoTime now) {
  if (!first_change_) first_change_ = now;
  last_change_ = now;
}

Deadline Watcher::wake_at() const noexcept {
  Deadline deadline;
  if (look_again_) deadline = Deadline(*look_again_);
  if (!first_change_) return deadline;
  deadline = deadline.sooner(Deadline(*first_change_ + kPatience));
  return being_written_.empty() ? deadline.sooner(Deadline(last_change_ + kQuietTime)) : deadline;
}

bool Watcher::take_due(MonoTime now) {
  if (look_again_ && now >= *look_again_) {
    std::set<fs::path> before;
    for (const auto& [watch, entry] : watched_) before.insert(entry.directory);
    // Out of watches: what is watched goes on, and another try comes with the next look.
    if (!arm(now)) look_again_ = now + kReappearInterval;
    // What happened in a directory before it was watched is not known.
    for (const auto& [watch, entry] : watched_) {
      if (!before.contains(entry.directory)) note_change(now);
    }
  }
  if (!first_change_) return false;
  const bool patience_over = now >= *first_change_ + kPatience;
  const bool quiet = being_written_.empty() && now >= last_change_ + kQuietTime;
  if (!patience_over && !quiet) return false;
  first_change_.reset();
  being_written_.clear();
  return true;
}

}  // namespace aquifer::manifests
