// Policies for waypoints as they are written: what they are attached to, and RequestAuthentication.
// Included by objects.h.
#pragma once

#include "config/manifests/object_meta.h"
#include "config/model/l7/request_authentication.h"

#include <cstdint>
#include <string>
#include <vector>

namespace aquifer::manifests {

/// One of a policy's targetRefs: an object of the policy's own namespace.
struct TargetRefObject {
  enum class Kind : std::uint8_t { gateway, gateway_class, service, service_entry };
  Kind kind = Kind::gateway;
  std::string name;
  std::uint32_t line = 0;
};

struct RequestAuthenticationObject {
  Metadata meta;
  std::vector<TargetRefObject> targets;
  /// All but what it is attached to, which needs the mesh.
  l7::RequestAuthentication authentication;
};

}  // namespace aquifer::manifests
