// A client's connection as its requests see it: who it is and what it wanted. Immutable once it is
// known, so that requests on other loops may keep it.
#pragma once

#include "common/base/address.h"
#include "common/base/spiffe.h"
#include "config/model/service.h"
#include "config/model/snapshot.h"
#include "config/model/workload.h"

#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace aquifer::waypoint {

struct Downstream {
  /// Proven by the tunnel's certificate; empty for a client that came in the clear.
  SpiffeId identity;
  /// Of the client; its port only where the tunnel's peer said it.
  SocketAddress source;
  /// The client's record; may be null.
  model::WorkloadPtr source_workload;
  /// What the client dialled: a service's address, or a workload's.
  SocketAddress wanted;
  /// What CONNECT named, for the log.
  std::string authority;
  /// The service that is meant; null when a workload itself is.
  model::ServicePtr service;
  /// service_key() of it, by which its routes are found anew for each request.
  std::string service_key;
  std::uint16_t port = 0;  ///< of the service or the workload
  /// The workload that is meant, where there is no service.
  model::WorkloadPtr workload;

  /// Null when nobody proved anything.
  [[nodiscard]] const SpiffeId* proven() const noexcept {
    return identity.empty() ? nullptr : &identity;
  }
};

using DownstreamPtr = std::shared_ptr<const Downstream>;

/// Is this waypoint (NAMESPACE/NAME) asked for the service's traffic, or may it be?
[[nodiscard]] bool serves(const model::Service& service, std::string_view gateway);

/// What a CONNECT asks of this waypoint.
struct Meant {
  model::ServicePtr service;
  model::WorkloadPtr workload;
  SocketAddress wanted;
  std::uint16_t port = 0;
};

/// Why it is refused: the status for the tunnel's peer, and words for the log.
struct NotMeant {
  int status = 404;
  std::string reason;
};

/// `authority` is that of the CONNECT: an address, or a service's host name. Served are the
/// services and workloads that use the waypoint `gateway` (NAMESPACE/NAME), and those of its own
/// namespace: between a change of labels and its arrival at every node connections still come.
/// `client_ns` chooses among services with one address. Pure.
[[nodiscard]] std::expected<Meant, NotMeant> what_is_meant(const model::Snapshot& snapshot,
                                                           std::string_view gateway,
                                                           std::string_view network,
                                                           std::string_view authority,
                                                           std::string_view client_ns);

}  // namespace aquifer::waypoint
