// Routes as they are written: HTTPRoute, GRPCRoute, TLSRoute and TCPRoute, which have one shape.
// What needs no other object is in the waypoint's own form already (config/model/l7); what names
// other objects is still names. Included by objects.h.
#pragma once

#include "config/manifests/object_meta.h"
#include "config/model/l7/chain.h"
#include "config/model/l7/route.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

/// In the order in which they win where several bind to one port (GEP-1426, Route types).
enum class RouteKind : std::uint8_t { grpc, http, tls, tcp };
/// "HTTPRoute"
[[nodiscard]] std::string_view name_of(RouteKind kind) noexcept;

/// An entry of parentRefs.
struct ParentObject {
  std::string group;
  std::string kind;
  std::string ns;
  std::string name;
  std::uint16_t port = 0;    ///< 0: all
  std::string section_name;  ///< a port's name; empty: all
};

/// An entry of backendRefs, or a VirtualService's destination.
struct BackendObject {
  std::string group;
  std::string kind;
  std::string ns;
  std::string name;
  std::uint16_t port = 0;  ///< 0: not written
  std::string subset;
  std::uint32_t weight = 1;
  l7::HeaderChanges request_headers;
  l7::HeaderChanges response_headers;
  /// It asks for something that cannot be done: its share is answered 500.
  bool unusable = false;
};

struct MirrorObject {
  BackendObject backend;
  std::uint32_t millionths = l7::kWhole;
};

struct MatchObject {
  l7::RouteMatch match;
  /// Of a GRPCRoute's match, for its precedence.
  std::size_t service_chars = 0;
  std::size_t method_chars = 0;
  /// Of a VirtualService's match: its name, and the service's port it is for (0: all).
  std::string name;
  std::uint16_t port = 0;
};

struct RouteRuleObject {
  /// At least one for HTTP and gRPC.
  std::vector<MatchObject> matches;
  /// All but the match, the clusters and the mirrors' clusters.
  l7::Route route;
  std::vector<BackendObject> backends;
  std::vector<MirrorObject> mirrors;
  /// A VirtualService's rewrite.uri, whose meaning depends on the match.
  std::optional<std::string> rewrite_uri;
};

struct RouteObject {
  Metadata meta;
  RouteKind kind = RouteKind::http;
  std::vector<ParentObject> parents;
  /// Of a TLSRoute: the server names.
  std::vector<std::string> hostnames;
  std::vector<RouteRuleObject> rules;
};

/// A ReferenceGrant: who may refer to which objects of its namespace.
struct ReferenceGrantObject {
  struct From {
    std::string group;
    std::string kind;
    std::string ns;
  };
  struct To {
    std::string group;
    std::string kind;
    std::string name;  ///< empty: all
  };
  Metadata meta;
  std::vector<From> from;
  std::vector<To> to;
};

}  // namespace aquifer::manifests
