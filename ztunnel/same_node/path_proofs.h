// PathProofs: which pods of this node the network lets one pod reach. Bytes that are handed over
// inside the proxy pass no link and no rule of the node, so a real TCP connection from the pod's
// namespace to the other's tunnel port has to show that they would have been let through: before
// the first of them, at each change of the mesh, and again before ten seconds are over for as long
// as there are connections. On the pod's loop.
#pragma once

#include "common/base/address.h"
#include "common/coro/scope.h"
#include "common/coro/wait_list.h"
#include "common/io/loop.h"

#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>

namespace aquifer::ztunnel {

struct PodContext;

/// An open connection that relies on a path.
class PathUser {
 public:
  /// The path is not proven any more: nothing more may pass.
  virtual void path_lost() noexcept = 0;

 protected:
  ~PathUser() = default;
};

class PathProofs {
 public:
  /// `pod` outlives it.
  explicit PathProofs(PodContext& pod) noexcept : pod_(pod) {}
  ~PathProofs() { AQUIFER_ASSERT(scope_.running() == 0); }
  PathProofs(const PathProofs&) = delete;
  PathProofs& operator=(const PathProofs&) = delete;

  /// Was the path looked at a moment ago, and found closed? Then nobody need wait for it again.
  [[nodiscard]] bool is_blocked(const TunnelAddr& to) const noexcept;
  /// True exactly when the path is proven with the mesh as it is now; looks if that is not known.
  /// `uid` is whose port it is.
  [[nodiscard]] coro::Task<bool> prove(TunnelAddr to, std::string uid, Deadline deadline);

  /// Right after prove() said yes: keeps the path proven until forget(), or tells `user`.
  void rely(const TunnelAddr& to, PathUser& user);
  void forget(const TunnelAddr& to, PathUser& user) noexcept;

  void mesh_changed();
  /// When nobody relies on a path any more: ends what looks at them. Await it before the
  /// destructor.
  [[nodiscard]] coro::Task<void> finish();

 private:
  struct Path {
    std::string uid;
    /// What the proof is worth: until when, and for which version of the mesh.
    MonoTime valid_until = MonoTime::min();
    std::uint64_t version = 0;
    MonoTime looked_at = MonoTime::min();
    MonoTime blocked_until = MonoTime::min();
    bool looking = false;
    bool watched = false;
    std::size_t waiting = 0;  // coroutines that hold a reference
    coro::WaitList looked;
    coro::Event changed;
    std::unordered_set<PathUser*> users;
  };
  enum class Answer : std::uint8_t { connected, refused, silent };

  [[nodiscard]] std::uint64_t version() const noexcept;
  coro::Task<void> look(TunnelAddr to, Path& path, Deadline deadline);
  coro::Task<Answer> probe(TunnelAddr to, Deadline deadline);
  coro::Task<void> watch(TunnelAddr to, Path& path);
  [[nodiscard]] MonoTime next_look(const Path& path) const noexcept;
  void lose(const TunnelAddr& to, Path& path);
  void drop_old_paths();

  PodContext& pod_;
  std::map<TunnelAddr, Path> paths_;
  coro::Scope scope_;
};

}  // namespace aquifer::ztunnel
