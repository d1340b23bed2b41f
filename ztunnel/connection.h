// What outbound and inbound connections do alike: telling who the two ends are, and preparing
// sockets.
#pragma once

#include "common/base/address.h"
#include "common/base/spiffe.h"
#include "common/telemetry/access_log.h"
#include "config/model/egress.h"
#include "config/model/service.h"
#include "config/model/workload.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

struct Settings;
struct Worker;

/// One end of a connection: the record, and the identity if mutual TLS proved it (null if not).
struct End {
  model::WorkloadPtr workload;
  std::shared_ptr<const SpiffeId> proven;
};

/// What an outbound connection's destination is called, beside its address.
struct DestinationNames {
  /// What the pod had resolved to the address when it dialled, newest first.
  std::vector<model::HostName> hosts;
  /// Of TLS, as far as somebody looked at it.
  model::ServerName::State server_name_state = model::ServerName::State::not_looked_at;
  std::string server_name;
};

/// Everything the telemetry of a connection is made from, and what policies judge it by.
struct ConnectionFacts {
  telemetry::Direction direction = telemetry::Direction::outbound;
  telemetry::Transport transport = telemetry::Transport::network;
  SocketAddress source_address;
  SocketAddress destination_address;  ///< the next hop
  /// Inbound: the application's address, which policies compare. Outbound: what the pod dialled.
  SocketAddress wanted_address;
  /// Outbound: the application's address that was chosen; through a waypoint, what the pod dialled.
  SocketAddress endpoint_address;
  std::string hbone_address;  ///< `:authority`, empty without a tunnel
  End source;
  End destination;
  model::ServicePtr service;
  /// Outbound; null when nothing is known.
  std::shared_ptr<const DestinationNames> names;
};

/// The `baggage` header that describes `workload`.
[[nodiscard]] std::string baggage_of(const model::Workload& workload);

/// TCP_NODELAY, and keepalive as the operator wants it; sockets that a listener accepts have both
/// from it. Failures do not matter enough to end a connection.
void tune_socket(int fd, const Settings& settings) noexcept;

}  // namespace aquifer::ztunnel
