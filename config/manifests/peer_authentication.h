// PeerAuthentication as the data plane knows it: which DENY policies of plaintext hold for a
// workload. Pure.
#pragma once

#include "config/manifests/objects.h"
#include "config/model/authorization_policy.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

/// The policy that denies whatever comes without an identity. Its name, as those below, is one that
/// no Kubernetes object can have.
[[nodiscard]] model::AuthorizationPolicy static_strict_policy(std::string_view root_namespace);

/// What of the whole mesh and of one namespace counts for the workloads of that namespace.
struct InheritedMtls {
  MtlsMode mesh = MtlsMode::unset;
  MtlsMode ns = MtlsMode::unset;
  [[nodiscard]] bool strict() const noexcept;
};

/// The policy of an object with a selector whose ports differ from the rest; nothing when they do
/// not, because then the static policy, or none, says it all.
[[nodiscard]] std::optional<model::AuthorizationPolicy> port_policy(
    const PeerAuthenticationObject& object, const InheritedMtls& inherited);

/// Does the static policy hold for workloads that `object` (null for none) selects?
[[nodiscard]] bool needs_static_strict(const PeerAuthenticationObject* object,
                                       const InheritedMtls& inherited);

/// The oldest counts; of equally old ones the first by name. Null for none.
[[nodiscard]] const PeerAuthenticationObject* oldest(
    std::span<const PeerAuthenticationObject* const> objects);

}  // namespace aquifer::manifests
