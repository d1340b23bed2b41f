// Does one authorization rule match whatever another does? Says yes only when it is sure. Pure.
#pragma once

#include "config/model/authorization_policy.h"

namespace aquifer::manifests {

/// True: every connection that `narrow` matches is matched by `wide`.
[[nodiscard]] bool implies(const model::AuthorizationRule& narrow,
                           const model::AuthorizationRule& wide);
/// The same for the rules of two policies, each matching where one of them does. False for a policy
/// without rules, which matches nothing.
[[nodiscard]] bool implies(const std::vector<model::AuthorizationRule>& narrow,
                           const std::vector<model::AuthorizationRule>& wide);

}  // namespace aquifer::manifests
