// A chain: what becomes of connections to one port of a service (or to a workload itself): their
// protocol, and the ordered routes of their requests.
#pragma once

#include "config/model/l7/cluster.h"
#include "config/model/l7/request_view.h"
#include "config/model/l7/route.h"
#include "config/model/l7/route_table.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::l7 {

/// What connections to a port speak, as their service says.
enum class Protocol : std::uint8_t {
  detect,  ///< looked at
  http1,
  http2,  ///< h2c, gRPC
  tcp,
  tls,  ///< passed on by its server name, never opened
};
[[nodiscard]] std::string_view name_of(Protocol protocol) noexcept;

/// appProtocol, else the port's name before its first dash: http, http2, grpc, grpc-web, h2c, tls,
/// https, tcp, redis, mongo, mysql; with kubernetes.io/ in front of appProtocol. Anything else, and
/// nothing: detect. "ws" and "kubernetes.io/ws" are HTTP/1.1.
[[nodiscard]] Protocol protocol_of(std::string_view app_protocol,
                                   std::string_view port_name) noexcept;

/// A TCPRoute's or TLSRoute's rule.
struct TcpRoute {
  RouteOrigin origin;
  /// Server names that it is for, `*.example.com` for all below; empty: any, and what is no TLS.
  std::vector<std::string> server_names;
  /// Namespace that the client's identity must be of; empty: any.
  std::string source_namespace;
  std::vector<WeightedCluster> clusters;
  friend bool operator==(const TcpRoute&, const TcpRoute&) = default;
};

struct Chain {
  /// service_key(), and the port.
  std::string service;
  std::uint16_t port = 0;
  Protocol protocol = Protocol::detect;
  /// In their order of precedence; the first that matches is taken, and without any the answer is
  /// 404.
  RouteTable routes;
  /// The same for connections that are not HTTP; without any the service's own cluster is meant.
  std::vector<TcpRoute> tcp_routes;

  friend bool operator==(const Chain&, const Chain&) = default;
};

using ChainPtr = std::shared_ptr<const Chain>;

/// The TCP route for a server name (empty: none was given) and a client of the namespace (empty:
/// not known); null when there is none. Routes for the client's namespace alone go before others;
/// then the most specific server name counts.
[[nodiscard]] const TcpRoute* tcp_route(const Chain& chain, std::string_view server_name,
                                        std::string_view client_ns = {}) noexcept;

}  // namespace aquifer::l7
