#include "ztunnel/same_node/path_proofs.h"

#include "common/base/log.h"
#include "ztunnel/pod_context.h"
#include "ztunnel/same_node/node_wide.h"

#include <algorithm>
#include <vector>

namespace aquifer::ztunnel {
namespace {

// The promise: no byte passes on a proof that is older than this.
constexpr auto kProofLife = std::chrono::seconds(10);
// A proof that connections rely on is renewed early in its life, so that a lost SYN or two (they
// are sent again after 1, 2 and 4 seconds) costs nobody a connection.
constexpr auto kRenewAfter = std::chrono::seconds(4);
// After a change of the mesh, open connections have to be proven again within this.
constexpr auto kChangeGrace = std::chrono::seconds(3);
// In a large cluster the mesh changes many times a second; open connections are looked after no
// more often than this. A new one waits for its own proof.
constexpr auto kLookSpacing = std::chrono::seconds(1);
// Between looks that failed, while an older proof still holds.
constexpr auto kRetryPause = std::chrono::milliseconds(500);
// One look takes no longer for a new connection: what remains of its patience is the tunnel's. So
// much of a proof's life must be left for it, too, that it can be renewed before its end.
constexpr auto kLookPatience = std::chrono::seconds(3);
// A path that was found closed is left alone for so long: connections take the tunnel at once.
constexpr auto kBlockedFor = std::chrono::seconds(5);
// Paths of one pod that are remembered unused: more pods than a node runs.
constexpr std::size_t kPathsMax = 512;

constexpr const char* kTarget = "ztunnel::same_node";

}  // namespace

std::uint64_t PathProofs::version() const noexcept {
  return pod_.worker.snapshot->version();
}

bool PathProofs::is_blocked(const TunnelAddr& to) const noexcept {
  const auto found = paths_.find(to);
  return found != paths_.end() && pod_.worker.loop.now() < found->second.blocked_until;
}

coro::Task<bool> PathProofs::prove(TunnelAddr to, std::string uid, Deadline deadline) {
  io::Loop& loop = pod_.worker.loop;
  const std::uint64_t wanted = version();
  const Deadline patience = deadline.sooner(loop.after(kLookPatience));
  drop_old_paths();
  Path& path = paths_[to];
  path.uid = std::move(uid);
  ++path.waiting;
  bool proven = false;
  for (;;) {
    const MonoTime now = loop.now();
    proven = path.version >= wanted && now + kLookPatience < path.valid_until;
    if (proven || now < path.blocked_until || patience.expired(now)) break;
    co_await look(to, path, patience);
  }
  --path.waiting;
  co_return proven;
}

coro::Task<void> PathProofs::look(TunnelAddr to, Path& path, Deadline deadline) {
  io::Loop& loop = pod_.worker.loop;
  if (path.looking) {
    coro::WaitList::Place place(path.looked);
    std::ignore = co_await io::wait_event(loop, place.event, deadline, &scope_.cancel_source());
    co_return;
  }
  path.looking = true;
  SameNode& node = pod_.worker.node.same_node;
  const std::uint64_t seen = version();
  const MonoTime began = loop.now();
  node.probes_made.add();
  const Answer answer = co_await probe(to, deadline);
  // A pod that has left the mesh takes no tunnels any more, and its open connections go on: that
  // its node answers at all is what there is to know then.
  const LocalPods& pods = *pod_.worker.local_pods;
  const bool left = answer == Answer::refused && !path.users.empty() && !pods.contains(path.uid);
  path.looking = false;
  path.looked_at = loop.now();
  if (answer == Answer::connected || left) {
    path.version = seen;
    path.valid_until = began + kProofLife;
    path.blocked_until = MonoTime::min();
  } else {
    node.probes_failed.add();
    path.blocked_until = loop.now() + kBlockedFor;
  }
  path.looked.notify_all();
}

coro::Task<PathProofs::Answer> PathProofs::probe(TunnelAddr to, Deadline deadline) {
  auto fd = pod_.tcp_socket(to.addr.ip);
  if (!fd) co_return Answer::silent;
  io::Socket socket(pod_.worker.loop, std::move(*fd));
  // No data follows, and nothing is to linger: the other proxy need not wait for its end.
  socket.reset_on_close();
  const Status connected =
      co_await socket.connect(to.addr, deadline, &pod_.connections.cancel_source());
  if (!connected) {
    const bool refused = connected.error().code == Errc::connection_refused;
    co_return refused ? Answer::refused : Answer::silent;
  }
  const auto from = socket.local_address();
  if (!from) co_return Answer::silent;
  pod_.worker.node.same_node.announce_probe(from->addr);
  co_return Answer::connected;
}

void PathProofs::rely(const TunnelAddr& to, PathUser& user) {
  Path& path = paths_.at(to);
  path.users.insert(&user);
  if (path.watched) return;
  path.watched = true;
  scope_.spawn(watch(to, path));
}

void PathProofs::forget(const TunnelAddr& to, PathUser& user) noexcept {
  Path& path = paths_.at(to);
  path.users.erase(&user);
  if (path.users.empty()) path.changed.notify();
}

MonoTime PathProofs::next_look(const Path& path) const noexcept {
  if (pod_.worker.loop.now() < path.blocked_until) return path.looked_at + kRetryPause;
  const bool stale = path.version < version();
  return path.looked_at + (stale ? Duration(kLookSpacing) : Duration(kRenewAfter));
}

coro::Task<void> PathProofs::watch(TunnelAddr to, Path& path) {
  io::Loop& loop = pod_.worker.loop;
  coro::CancelSource* cancel = &scope_.cancel_source();
  while (!path.users.empty()) {
    const MonoTime now = loop.now();
    const MonoTime next = std::min(next_look(path), path.valid_until);
    if (now < next) {
      const Status woken = co_await io::wait_event(loop, path.changed, Deadline(next), cancel);
      if (!woken && woken.error().code == Errc::cancelled) break;
      continue;
    }
    // A loop that was kept from running comes too late to renew a proof: that says nothing of the
    // network. Only a look decides.
    const bool failed_before = now < path.blocked_until;
    if (now < path.valid_until || !failed_before)
      co_await look(to, path, Deadline(std::max(path.valid_until, now + kLookPatience)));
    if (cancel->cancelled()) break;
    if (loop.now() >= path.valid_until) {
      lose(to, path);
      break;
    }
  }
  path.watched = false;
}

void PathProofs::lose(const TunnelAddr& to, Path& path) {
  log::warn(kTarget,
            "{}: the network lets no connection through to {} any more: {} connections that "
            "stayed on the node are reset",
            pod_.account.name, to.addr.to_string(), path.users.size());
  pod_.worker.node.same_node.cut.add(path.users.size());
  for (PathUser* user : path.users) user->path_lost();
}

void PathProofs::mesh_changed() {
  const MonoTime now = pod_.worker.loop.now();
  for (auto& [to, path] : paths_) {
    if (path.users.empty()) continue;
    path.valid_until = std::min(path.valid_until, now + kChangeGrace);
    path.changed.notify();
  }
}

void PathProofs::drop_old_paths() {
  if (paths_.size() < kPathsMax) return;
  std::erase_if(paths_, [](const auto& entry) {
    const Path& path = entry.second;
    return path.users.empty() && !path.watched && !path.looking && path.waiting == 0;
  });
}

coro::Task<void> PathProofs::finish() {
  scope_.cancel();
  co_await scope_.join();
}

}  // namespace aquifer::ztunnel
