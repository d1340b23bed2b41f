// The sockets on which a pod's DNS proxy is asked: UDP and TCP on the pod's loopback, where the
// capture rules redirect port 53 to. Made in the pod's namespace. Any thread.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/io/netns.h"

#include <cstdint>
#include <vector>

namespace aquifer::ztunnel::dns {

struct SocketOptions {
  std::uint16_t port = 0;
  /// SO_MARK: answers are not captured.
  std::uint32_t mark = 0;
  bool ipv6 = true;
  /// SO_REUSEPORT: the successor of this process listens before this one stops.
  bool reuse_port = true;
};

/// One of each per family; those of IPv6 are missing where the namespace has none.
struct Sockets {
  std::vector<Fd> udp;
  std::vector<Fd> tcp;
};

/// All or none.
[[nodiscard]] Result<Sockets> make_sockets(const io::NetworkNamespace& pod,
                                           const SocketOptions& options);

}  // namespace aquifer::ztunnel::dns
