// The access log: one line per connection at its end, with the peer's fields in the peer's order. A
// loop fills a value and moves it away; text is made of it on the log's own thread.
#pragma once

#include "common/base/address.h"
#include "common/base/log.h"
#include "common/base/time.h"
#include "common/telemetry/access_filter.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace aquifer::telemetry {

enum class Direction : std::uint8_t { outbound, inbound };

/// How the bytes travel: by the wire (a tunnel, or plain TCP), or inside the node's proxy from one
/// pod's socket to the other's.
enum class Transport : std::uint8_t { network, same_node };
/// What logs and answers call the latter.
inline constexpr std::string_view kSameNode = "same-node";

/// One end of a connection. What is empty is left out of the line.
struct LogParty {
  std::string_view workload;  ///< pod name, or its canonical service
  std::string_view workload_namespace;
  std::string_view identity;  ///< `spiffe://...`, only if mutual TLS proved it
  std::string_view cluster;
};

/// What is known of a connection when it opens, besides its client's address: connections that are
/// alike share one. Views into records that whoever owns the log keeps alive as long.
struct ConnectionLog {
  Direction direction = Direction::outbound;
  Transport transport = Transport::network;
  LogParty src;
  SocketAddress dst_addr;        ///< the next hop: outbound HBONE ip:15008
  std::string dst_hbone_addr;    ///< the tunnel's `:authority`
  std::string_view dst_service;  ///< host name
  LogParty dst;
};
/// Immutable; may cross threads.
using ConnectionLogPtr = std::shared_ptr<const ConnectionLog>;

/// True exactly when the access log is written at all; nothing need be collected for it otherwise.
[[nodiscard]] inline bool access_log_enabled() noexcept {
  return log::enabled(log::Level::error, "access");
}

/// `connection opened`, at debug.
void log_opened(const ConnectionLogPtr& connection, const SocketAddress& client);

struct ConnectionEnd {
  std::uint64_t bytes_sent = 0;  ///< outbound: by the client; inbound: by the local application
  std::uint64_t bytes_recv = 0;
  Duration duration{};
  std::string error;  ///< empty: it ended well
  Outcome outcome = Outcome::well;
};
/// `connection complete`, at info, or at error with the error last.
void log_complete(ConnectionLogPtr connection, const SocketAddress& client, ConnectionEnd end);

/// `connection failed`, at warn: refused before anything but the addresses was known. `ns` is the
/// namespace of the captured pod, for the access log's filter.
void log_early_denial(Direction direction, const SocketAddress& src, const SocketAddress& dst,
                      std::string error, std::string_view ns = {});

}  // namespace aquifer::telemetry
