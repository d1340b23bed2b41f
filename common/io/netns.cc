#include "common/io/netns.h"

#include "common/base/assert.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

namespace aquifer::io {

namespace {

// Not /proc/self: that names the process's main thread, and namespaces belong to threads.
constexpr const char* kCallersNamespace = "/proc/thread-self/ns/net";

Status require_network_namespace(int fd) {
  struct statfs filesystem{};
  if (::fstatfs(fd, &filesystem) != 0)
    return fail(error_from_errno(errno, "looking at a network namespace"));
  if (filesystem.f_type != NSFS_MAGIC)
    return fail(Errc::invalid, "not a network namespace but another file");
  // The same file system holds mount, PID and other namespaces; setns would refuse those later,
  // less clearly.
  const int type = ::ioctl(fd, NS_GET_NSTYPE);
  if (type < 0) return fail(error_from_errno(errno, "asking for a namespace's type"));
  if (type != CLONE_NEWNET) return fail(Errc::invalid, "a namespace, but not a network namespace");
  return {};
}

// Where this thread is: its own namespace, opened at its first guard, or that of its innermost
// guard. Opening it for each socket would be five system calls of the nine that a socket in a pod
// costs.
struct Whereabouts {
  std::optional<NetworkNamespace> own;
  int current = -1;
};
thread_local Whereabouts whereabouts;

}  // namespace

Result<NetworkNamespace> NetworkNamespace::open(const std::string& path) {
  // O_NONBLOCK: a FIFO given by mistake must not hold the thread until somebody writes to it.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return fail(Error(Errc::not_found, ErrorSource::config, "no network namespace at this path")
                      .with_detail(errno));
    }
    return fail(error_from_errno(errno, "opening a network namespace").from(ErrorSource::config));
  }
  return adopt(std::move(fd));
}

Result<NetworkNamespace> NetworkNamespace::adopt(Fd fd) {
  if (auto checked = require_network_namespace(fd.get()); !checked) {
    return fail(checked.error().from(ErrorSource::config));
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0)
    return fail(error_from_errno(errno, "looking at a network namespace"));
  return NetworkNamespace(std::move(fd), NamespaceId{status.st_dev, status.st_ino});
}

Result<NetworkNamespace> NetworkNamespace::current() {
  return open(kCallersNamespace);
}

Result<NamespaceGuard> NamespaceGuard::enter(const NetworkNamespace& target) {
  if (!whereabouts.own) {
    TRY(whereabouts.own, NetworkNamespace::current());
    whereabouts.current = whereabouts.own->fd();
  }
  if (::setns(target.fd(), CLONE_NEWNET) != 0) {
    return fail(error_from_errno(errno, "entering a network namespace"));
  }
  return NamespaceGuard(std::exchange(whereabouts.current, target.fd()), ::gettid());
}

NamespaceGuard::NamespaceGuard(NamespaceGuard&& other) noexcept
    : home_(std::exchange(other.home_, -1)), thread_(other.thread_) {}

NamespaceGuard::~NamespaceGuard() {
  if (home_ < 0) return;
  AQUIFER_ASSERT(thread_ == ::gettid());
  const bool returned = ::setns(home_, CLONE_NEWNET) == 0;
  AQUIFER_ASSERT(returned);
  whereabouts.current = home_;
}

Result<Fd> socket_in(const NetworkNamespace& target, int domain, int type, int protocol) {
  TRY(const NamespaceGuard inside, NamespaceGuard::enter(target));
  Fd made(::socket(domain, type | SOCK_CLOEXEC, protocol));
  if (!made) return fail(error_from_errno(errno, "making a socket in a pod's network namespace"));
  return made;
}

}  // namespace aquifer::io
