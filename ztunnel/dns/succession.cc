#include "ztunnel/dns/succession.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include <cstdint>
#include <tuple>

namespace aquifer::ztunnel::dns {
namespace {

// The program belongs to all sockets of the group and outlives who set it. They are numbered in the
// order they were bound, and close up when one is closed. A number that nobody has leaves the
// choice to the kernel's hash; a failure does too.
void choose(int fd, std::uint32_t number) noexcept {
  sock_filter answer{BPF_RET | BPF_K, 0, 0, number};
  const sock_fprog program{1, &answer};
  std::ignore = ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
}

}  // namespace

void leave_to_oldest(int fd) noexcept {
  choose(fd, 0);
}

void turn_over_to_next(int fd) noexcept {
  choose(fd, 1);
}

}  // namespace aquifer::ztunnel::dns
