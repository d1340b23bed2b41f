// Which route of a waypoint a request takes, for `explain`: the very look-up that the waypoint
// does, with what was true of no route before it. Pure.
#pragma once

#include "common/base/address.h"
#include "common/base/spiffe.h"
#include "config/model/snapshot.h"
#include "ztunnel/explain/explanation.h"

#include <string>
#include <string_view>

namespace aquifer::ztunnel {

/// Routes that were passed over are told up to this one: a table may have thousands.
inline constexpr std::size_t kPassedOverShownMax = 10;

/// A request as it comes to the waypoint of a service.
struct RequestAtWaypoint {
  const model::Service& service;
  SocketAddress source;
  SocketAddress destination;
  /// Null: nobody is proven.
  const SpiffeId* identity = nullptr;
  /// The Host that is meant where no header says it.
  std::string host;
  const HttpAttributes& http;
};

[[nodiscard]] RouteStep explain_route(const model::Snapshot& snapshot,
                                      const RequestAtWaypoint& request);

}  // namespace aquifer::ztunnel
