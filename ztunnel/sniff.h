// Looks at what a client sends first, for policies that speak of TLS server names. On the
// connection's loop.
#pragma once

#include "common/base/time.h"
#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/io/socket_stream.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace aquifer::ztunnel {

/// How long a client may take to say whom it wants. Only connections that a rule with a server name
/// could match wait; a client of TLS speaks at once.
inline constexpr auto kServerNameTimeout = std::chrono::seconds(1);

struct SniffedName {
  enum class End : std::uint8_t {
    name,
    no_name,  ///< a ClientHello without a name, or no TLS
    /// Silence until the deadline, the client's end before its ClientHello, or one that is longer
    /// than is looked at.
    no_hello,
    failed,  ///< the connection failed or was cut
  };
  End end = End::failed;
  std::string name;
};

/// Reads until the name is known, and puts back what it read: the next reader misses nothing.
[[nodiscard]] coro::Task<SniffedName> sniff_server_name(io::SocketStream& client, Deadline deadline,
                                                        coro::CancelSource* cancel);

}  // namespace aquifer::ztunnel
