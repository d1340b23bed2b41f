// NetworkNamespace: a pod's network namespace as a value, and the one way to act inside it. A
// socket belongs for life to the namespace its thread was in when it was made, so entering is
// needed only for the moment of the call.
//
// A namespace belongs to a thread: every function here changes, at most, the thread that calls it,
// and changes it back before it returns. Any thread may call them, a loop too: they are a handful
// of system calls. None of them may go through io_uring, whose worker threads keep the namespace
// they were started in.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <string>

namespace aquifer::io {

/// Which namespace it is, whatever path or descriptor leads to it. Unique among namespaces that
/// exist at one time.
struct NamespaceId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend auto operator<=>(const NamespaceId&, const NamespaceId&) noexcept = default;
};

/// Keeps one network namespace open, so that it lives as long as this value. Move-only.
class NetworkNamespace {
 public:
  /// Opens /run/netns/NAME, /proc/PID/ns/net or the like. Errors: not_found when nothing is there,
  /// invalid when it is any other file (a name whose namespace is gone is an empty plain file), io
  /// for the rest.
  [[nodiscard]] static Result<NetworkNamespace> open(const std::string& path);
  /// Takes over a descriptor that somebody else opened (a node agent passes them over a socket).
  [[nodiscard]] static Result<NetworkNamespace> adopt(Fd fd);
  /// The namespace the calling thread is in.
  [[nodiscard]] static Result<NetworkNamespace> current();

  [[nodiscard]] const NamespaceId& id() const noexcept { return id_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  NetworkNamespace(Fd fd, NamespaceId id) noexcept : fd_(std::move(fd)), id_(id) {}

  Fd fd_;
  NamespaceId id_;
};

/// While it lives, the calling thread is in the namespace; its end brings the thread back. It must
/// end on the thread it began on, never across a co_await, and before `target`. Failing to come
/// back stops the process: whatever ran next would act as the pod. Where a thread comes from is
/// looked up once, so nothing else may move it after its first guard.
class NamespaceGuard {
 public:
  [[nodiscard]] static Result<NamespaceGuard> enter(const NetworkNamespace& target);
  NamespaceGuard(NamespaceGuard&& other) noexcept;
  NamespaceGuard& operator=(NamespaceGuard&&) = delete;
  NamespaceGuard(const NamespaceGuard&) = delete;
  NamespaceGuard& operator=(const NamespaceGuard&) = delete;
  ~NamespaceGuard();

 private:
  NamespaceGuard(int home, pid_t thread) noexcept : home_(home), thread_(thread) {}

  // The namespace to return to, owned by the thread or by an outer guard's target; -1 in a guard
  // that was moved from.
  int home_;
  pid_t thread_;
};

/// socket(2) inside `target`, always with SOCK_CLOEXEC. The calling thread is back where it was
/// when this returns.
[[nodiscard]] Result<Fd> socket_in(const NetworkNamespace& target, int domain, int type,
                                   int protocol);

}  // namespace aquifer::io
