// targetRefs of policies.
#pragma once

#include "config/manifests/fields.h"
#include "config/manifests/security/security_objects.h"

#include <string>
#include <vector>

namespace aquifer::manifests {

/// `targetRef` and `targetRefs` of a policy of namespace `ns`. As in Istio, an empty list is none
/// at all.
[[nodiscard]] std::vector<TargetRefObject> read_target_refs(Fields& spec, const StringMap& selector,
                                                            const std::string& ns);

}  // namespace aquifer::manifests
