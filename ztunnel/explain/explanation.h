// The answer of `ztunnel explain` as values: the steps of one connection in the order in which they
// happen, each with what decided it. Rendered as text and as JSON elsewhere.
#pragma once

#include "common/base/address.h"
#include "ztunnel/explain/question.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::ztunnel {

/// What one judge, or all of them together, say.
enum class Outcome : std::uint8_t {
  allowed,
  denied,
  fails,      ///< no policy forbids it, but it cannot be served: "no healthy upstream"
  undecided,  ///< depends on what the question does not say
  not_asked,  ///< nobody judges here
};
/// "allowed", "denied", "fails", "undecided", "not asked".
[[nodiscard]] std::string_view name_of(Outcome outcome) noexcept;

/// One policy that was looked at.
struct PolicyLine {
  std::string kind;  ///< "AuthorizationPolicy", "EgressPolicy", "NetworkPolicy"
  std::string name;  ///< NAMESPACE/NAME
  std::string action;
  bool matched = false;
  bool dry_run = false;
  std::string why;
};

/// What the policies of one place say.
struct Judgement {
  Outcome outcome = Outcome::not_asked;
  /// As the access log has it after `error=`; why nobody is asked, where nobody is.
  std::string reason;
  /// "DENY"; empty when it is allowed.
  std::string flag;
  /// The policy that decided, NAMESPACE/NAME; empty when no single one did.
  std::string policy;
  /// The clause that decided.
  std::string detail;
  /// "would pass if ..."; empty when it is allowed or nothing is near.
  std::string nearest_miss;
  /// In the order in which they count.
  std::vector<PolicyLine> policies;
  /// Things to know that decided nothing: names of policies that are not there.
  std::vector<std::string> notes;
};

struct SourceStep {
  /// NAMESPACE/NAME; empty for an address that the mesh does not know.
  std::string workload;
  std::string address;
  std::string node;
  /// "spiffe://..."; empty without one.
  std::string identity;
  bool captured = false;
  /// Why it is captured or not.
  std::string why;
};

/// A host name as the pod's query would be answered.
struct NameStep {
  std::string asked;
  /// "mesh": by the proxy itself; "upstream": forwarded to the cluster's DNS.
  std::string answered_by;
  /// NAMESPACE/HOSTNAME the answer was made from.
  std::string service;
  std::vector<std::string> addresses;
  std::string why;
};

/// A place where the connection may arrive.
struct EndpointStep {
  /// NAMESPACE/NAME; empty for an address nobody knows.
  std::string workload;
  std::string node;
  std::string address;
  /// May the connection be sent here? Else `standing` says why not: "unhealthy", "outranked".
  bool eligible = true;
  std::string standing = "eligible";
  std::uint32_t weight = 1;
  /// "hbone", "plain", "passthrough", "untouched".
  std::string path;
  /// May the bytes stay inside the node's proxy instead of going through the tunnel?
  bool same_node = false;
  /// NAMESPACE/NAME of the waypoint that leads to it, where several share the connections; else
  /// empty.
  std::string waypoint;
  /// Where the tunnel ends, and who may answer there.
  std::string tunnel;
  std::vector<std::string> expected_identities;
  /// What leaves the node: EgressPolicy and NetworkPolicy of the source.
  Judgement egress;
  /// What the destination's proxy says: AuthorizationPolicy, PeerAuthentication, NetworkPolicy.
  Judgement inbound;
  /// Both together.
  Outcome outcome = Outcome::not_asked;
};

struct WaypointStep {
  /// NAMESPACE/NAME; empty: none. Of several that share the connections, the first.
  std::string name;
  /// "service waypoint", "workload waypoint".
  std::string via;
  /// "used", "missing", "not ready", ...
  std::string standing;
};

/// A share of a route's requests.
struct RouteBackend {
  /// NAMESPACE/HOST:PORT, with /SUBSET behind it; empty: there is no such backend.
  std::string cluster;
  std::uint32_t weight = 0;
  std::uint64_t total = 0;
  std::string note;
};

/// A route that a request did not take.
struct PassedRoute {
  std::string route;
  std::string origin;
  /// The first of its conditions that is not true.
  std::string why;
};

/// What a waypoint does with a request.
struct RouteStep {
  /// "GET /a of a client of namespace shop"
  std::string request;
  /// "port 80 of web.shop.svc.cluster.local, HTTP/1.1"
  std::string chain;
  /// The route's name, and where it is written; empty: none matches.
  std::string route;
  std::string origin;
  /// "forwards", "redirects with 302 to ...", "answers 404 itself".
  std::string action;
  std::vector<RouteBackend> backends;
  /// Faults, retries, time-outs, mirrors and so on, a line each.
  std::vector<std::string> also;
  /// Those that stand before it.
  std::vector<PassedRoute> passed_over;
  std::size_t passed_over_more = 0;
};

/// One address that the client may dial.
struct ConnectionStep {
  std::string destination;
  /// Host name of the service that has the address; empty: none.
  std::string service;
  std::string service_ns;
  WaypointStep waypoint;
  /// What the waypoint does with the request that was described; none when none was.
  std::optional<RouteStep> route;
  /// Why the connection goes nowhere; empty when it does.
  std::string failure;
  /// The possible ends; through a waypoint, those of the waypoint (of several, of all of them).
  std::vector<EndpointStep> endpoints;
  /// Through a waypoint: the ends behind it, as it reaches them.
  std::vector<EndpointStep> behind;
  std::vector<std::string> notes;
  /// Of the whole way: where a waypoint stands between, with what is behind it.
  Outcome outcome = Outcome::not_asked;
};

/// A connection that a running ztunnel refused, as it remembers it.
struct PastRefusal {
  std::string time;
  std::string direction;
  /// NAMESPACE/NAME or an address, and the proven identity.
  std::string from;
  std::string identity;
  std::string to;
  std::string reason;
  std::string policy;
  std::string detail;
};

struct Explanation {
  Question question;
  SourceStep source;
  std::optional<NameStep> name;
  std::vector<ConnectionStep> connections;
  std::vector<std::string> notes;
  /// Newest first; none without --admin.
  std::optional<std::vector<PastRefusal>> refusals;
  Outcome outcome = Outcome::not_asked;
};

}  // namespace aquifer::ztunnel
