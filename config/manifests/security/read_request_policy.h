// The rules and the action of an AuthorizationPolicy for waypoints: all that Istio's form can say
// about a request -> trees of conditions.
#pragma once

#include "config/manifests/fields.h"
#include "config/model/l7/request_policy.h"

namespace aquifer::manifests {

/// Reads `action`, `provider` and `rules` of `spec` into `policy`, whose namespace, name and
/// enforcement are known. What a waypoint cannot enforce is an error, never left out.
void read_request_policy(Fields& spec, l7::RequestPolicy& policy);

}  // namespace aquifer::manifests
