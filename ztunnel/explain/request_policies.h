// What the policies of a waypoint say of a request, for `explain`: the decision of the very
// function that the waypoint asks, with every policy that was looked at. Pure.
#pragma once

#include "common/base/address.h"
#include "common/base/spiffe.h"
#include "config/model/l7/security_book.h"
#include "ztunnel/explain/explanation.h"

#include <string>
#include <string_view>

namespace aquifer::ztunnel {

/// A request, or a connection of whose requests nothing was said, as a waypoint gets it.
struct AtWaypoint {
  /// NAMESPACE/NAME of its Gateway.
  std::string_view gateway;
  /// model::service_key(); empty when a workload itself is wanted.
  std::string service;
  SocketAddress source;
  SocketAddress destination;
  const SpiffeId* identity = nullptr;
  std::string_view server_name;
  /// The Host that is meant where no header says it.
  std::string host;
  const HttpAttributes& http;
};

/// Without attributes of HTTP it is undecided as soon as a policy asks for one.
[[nodiscard]] Judgement judge_at_waypoint(const l7::SecurityBook& book, const AtWaypoint& asked);

}  // namespace aquifer::ztunnel
