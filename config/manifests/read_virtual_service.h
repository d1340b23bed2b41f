// The parts of a VirtualService. Each reader reports what is wrong where it stands; what Istio's
// waypoints do not honour is a warning.
#pragma once

#include "config/manifests/fields.h"
#include "config/manifests/traffic_objects.h"

#include <optional>
#include <string_view>

namespace aquifer::manifests {

/// An HTTPMatchRequest. None when no request inside the mesh can match it.
[[nodiscard]] std::optional<MatchObject> read_request_match(Fields& fields);
/// An HTTPRoute of a VirtualService, whole.
[[nodiscard]] RouteRuleObject read_request_rule(Fields& fields);
/// A route of tls or tcp, whole.
[[nodiscard]] ConnectionRuleObject read_connection_rule(Fields& fields);

/// {exact}, {prefix} or {regex} of the field `name`; a missing or empty one is `any`. None after an
/// error.
[[nodiscard]] std::optional<l7::TextPattern> read_string_match(Fields& parent,
                                                               std::string_view name);
/// A Destination {host, subset, port}, whole.
[[nodiscard]] BackendObject read_destination(Fields& fields);
/// retries, fault and corsPolicy of a rule, into its route; read_virtual_service_policies.cc
void read_request_policies(Fields& rule_fields, l7::Route& route);
/// Does the list `gateways` name the mesh, or is there none?
[[nodiscard]] bool is_for_mesh(Fields& fields);

}  // namespace aquifer::manifests
