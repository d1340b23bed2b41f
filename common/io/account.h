// Whose cost it is. Every accepted socket, dial, queue and tunnel carries the account of its pod.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace aquifer::io {

/// Counters of one pod, owned by the pod's loop and touched by no other thread. Outlives everything
/// charged to it.
struct Account {
  std::string name;                    ///< NAMESPACE/POD, for people
  std::uint64_t connections = 0;       ///< open application connections
  std::uint64_t queued_bytes = 0;      ///< received from tunnels, not yet taken by an application
  std::uint64_t queued_bytes_max = 0;  ///< 0: no limit. Past it the largest stalled stream is reset
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

}  // namespace aquifer::io
