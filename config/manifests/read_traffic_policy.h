// A trafficPolicy of a DestinationRule: how connections to a service are spread, bounded and
// secured.
#pragma once

#include "config/manifests/fields.h"
#include "config/manifests/traffic_objects.h"

namespace aquifer::manifests {

/// The whole map, its ports included.
[[nodiscard]] TrafficPolicyObject read_traffic_policy(Fields& fields);

/// loadBalancer, whole; read_load_balancer.cc
void read_load_balancer(Fields& fields, TrafficPolicyObject& policy);

}  // namespace aquifer::manifests
