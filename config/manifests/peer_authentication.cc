#include "config/manifests/peer_authentication.h"

#include <algorithm>
#include <tuple>

namespace aquifer::manifests {
namespace {

using model::AuthorizationMatch;
using model::AuthorizationPolicy;
using model::StringMatch;

AuthorizationMatch plaintext() {
  AuthorizationMatch match;
  match.principals.none_of = {{StringMatch::Kind::presence, ""}};
  return match;
}

AuthorizationPolicy deny_of(std::string ns, std::string name, AuthorizationMatch match) {
  AuthorizationPolicy policy;
  policy.ns = std::move(ns);
  policy.name = std::move(name);
  policy.scope = model::AuthorizationScope::workload_selector;
  policy.action = model::AuthorizationAction::deny;
  policy.rules = {{{std::move(match)}}};
  return policy;
}

// The mode of the ports that have none of their own.
bool is_strict(const PeerAuthenticationObject* object, const InheritedMtls& inherited) {
  if (object == nullptr || object->mode == MtlsMode::unset) return inherited.strict();
  return object->mode == MtlsMode::strict;
}

// Ports that are treated otherwise than the rest. DISABLE is PERMISSIVE, as everywhere.
std::vector<std::uint16_t> exceptions(const PeerAuthenticationObject& object, bool strict) {
  std::vector<std::uint16_t> ports;
  for (const auto& [port, mode] : object.ports) {
    if (mode != MtlsMode::unset && (mode == MtlsMode::strict) != strict) ports.push_back(port);
  }
  return ports;
}

}  // namespace

bool InheritedMtls::strict() const noexcept {
  return (ns == MtlsMode::unset ? mesh : ns) == MtlsMode::strict;
}

AuthorizationPolicy static_strict_policy(std::string_view root_namespace) {
  return deny_of(std::string(root_namespace), "istio_converted_static_strict", plaintext());
}

std::optional<AuthorizationPolicy> port_policy(const PeerAuthenticationObject& object,
                                               const InheritedMtls& inherited) {
  const bool strict = is_strict(&object, inherited);
  std::vector<std::uint16_t> ports = exceptions(object, strict);
  if (ports.empty()) return std::nullopt;
  AuthorizationMatch match = plaintext();
  auto& list = strict ? match.destination_ports.none_of : match.destination_ports.any_of;
  list = std::move(ports);
  return deny_of(object.meta.ns, "converted_peer_authentication_" + object.meta.name,
                 std::move(match));
}

bool needs_static_strict(const PeerAuthenticationObject* object, const InheritedMtls& inherited) {
  const bool strict = is_strict(object, inherited);
  // With exceptions the policy of the ports says it for the others as well.
  return strict && (object == nullptr || exceptions(*object, strict).empty());
}

const PeerAuthenticationObject* oldest(std::span<const PeerAuthenticationObject* const> objects) {
  const auto at = std::ranges::min_element(objects, {}, [](const auto* object) {
    // RFC 3339 in UTC, as Kubernetes writes it, sorts as text. Without one: from before all.
    return std::tie(object->meta.created, object->meta.ns, object->meta.name);
  });
  return at == objects.end() ? nullptr : *at;
}

}  // namespace aquifer::manifests
