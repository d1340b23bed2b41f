#include "config/manifests/kinds.h"

#include <algorithm>
#include <array>

namespace aquifer::manifests {
namespace {

struct Row {
  std::string_view api_group;
  std::string_view kind;
  KindState state;
};

constexpr std::array kRows{
    Row{"", "Namespace", KindState::read},
    Row{"", "Node", KindState::read},
    Row{"", "Pod", KindState::read},
    Row{"", "Service", KindState::read},
    Row{"", "ConfigMap", KindState::read},
    Row{"discovery.k8s.io", "EndpointSlice", KindState::read},
    Row{"networking.istio.io", "ServiceEntry", KindState::read},
    Row{"networking.istio.io", "WorkloadEntry", KindState::read},
    Row{"networking.istio.io", "VirtualService", KindState::read},
    Row{"networking.istio.io", "DestinationRule", KindState::read},
    Row{"telemetry.istio.io", "Telemetry", KindState::not_yet},
    Row{"gateway.networking.k8s.io", "Gateway", KindState::read},
    Row{"gateway.networking.k8s.io", "HTTPRoute", KindState::read},
    Row{"gateway.networking.k8s.io", "GRPCRoute", KindState::read},
    Row{"gateway.networking.k8s.io", "TCPRoute", KindState::read},
    Row{"gateway.networking.k8s.io", "TLSRoute", KindState::read},
    Row{"gateway.networking.k8s.io", "ReferenceGrant", KindState::read},
    Row{"gateway.networking.k8s.io", "BackendTLSPolicy", KindState::not_yet},
    Row{"gateway.networking.x-k8s.io", "XBackendTrafficPolicy", KindState::not_yet},
    Row{"security.istio.io", "AuthorizationPolicy", KindState::read},
    Row{"security.istio.io", "PeerAuthentication", KindState::read},
    Row{"security.istio.io", "RequestAuthentication", KindState::read},
    Row{"networking.k8s.io", "NetworkPolicy", KindState::read},
    Row{"aquifer.dev", "EgressPolicy", KindState::read},
};

}  // namespace

KindState kind_state(std::string_view api_group, std::string_view kind) noexcept {
  const auto* row = std::ranges::find_if(kRows, [&](const Row& candidate) {
    return candidate.api_group == api_group && candidate.kind == kind;
  });
  return row == kRows.end() ? KindState::unknown : row->state;
}

}  // namespace aquifer::manifests
