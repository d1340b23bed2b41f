#include "waypoint/route_json.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace aquifer::waypoint {
namespace {

using nlohmann::json;

std::int64_t ms(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

const char* name_of(l7::PathMatch::Kind kind) noexcept {
  switch (kind) {
    case l7::PathMatch::Kind::any: return "any";
    case l7::PathMatch::Kind::exact: return "exact";
    case l7::PathMatch::Kind::prefix: return "prefix";
    case l7::PathMatch::Kind::segment_prefix: return "segmentPrefix";
    case l7::PathMatch::Kind::regex: return "regex";
  }
  return "";
}

const char* name_of(l7::PathRewrite::Kind kind) noexcept {
  switch (kind) {
    case l7::PathRewrite::Kind::none: return "none";
    case l7::PathRewrite::Kind::full: return "full";
    case l7::PathRewrite::Kind::prefix: return "prefix";
    case l7::PathRewrite::Kind::regex: return "regex";
  }
  return "";
}

json match_json(const l7::RouteMatch& match) {
  json result = json::object();
  if (match.path.kind != l7::PathMatch::Kind::any) {
    const bool regex = match.path.kind == l7::PathMatch::Kind::regex;
    json path{{name_of(match.path.kind), regex ? match.path.regex.text() : match.path.text}};
    if (match.path.ignore_case) path["ignoreCase"] = true;
    result["path"] = std::move(path);
  }
  if (!match.method.empty()) result["method"] = match.method;
  for (const l7::HeaderMatch& header : match.headers) {
    json one{{"name", header.name}, {"value", header.value.to_string()}};
    if (header.invert) one["invert"] = true;
    result["headers"].push_back(std::move(one));
  }
  for (const l7::QueryMatch& query : match.query)
    result["query"].push_back(json{{"name", query.name}, {"value", query.value.to_string()}});
  if (!match.source_namespace.empty()) result["sourceNamespace"] = match.source_namespace;
  return result;
}

json changes_json(const l7::HeaderChanges& changes) {
  json result = json::array();
  for (const l7::HeaderChange& change : changes) {
    switch (change.how) {
      case l7::HeaderChange::How::set:
        result.push_back(json{{"set", change.name}, {"value", change.value}});
        break;
      case l7::HeaderChange::How::add:
        result.push_back(json{{"add", change.name}, {"value", change.value}});
        break;
      case l7::HeaderChange::How::remove: result.push_back(json{{"remove", change.name}}); break;
    }
  }
  return result;
}

json clusters_json(const std::vector<l7::WeightedCluster>& clusters) {
  json result = json::array();
  for (const l7::WeightedCluster& cluster : clusters) {
    json one{{"weight", cluster.weight}};
    one["cluster"] = cluster.cluster.empty() ? json(nullptr) : json(cluster.cluster);
    if (!cluster.request_headers.empty())
      one["requestHeaders"] = changes_json(cluster.request_headers);
    if (!cluster.response_headers.empty())
      one["responseHeaders"] = changes_json(cluster.response_headers);
    result.push_back(std::move(one));
  }
  return result;
}

json rewrite_json(const l7::PathRewrite& rewrite) {
  json result{{"kind", name_of(rewrite.kind)}, {"text", rewrite.text}};
  if (rewrite.kind == l7::PathRewrite::Kind::regex) result["regex"] = rewrite.regex.text();
  return result;
}

json action_json(const l7::Action& action) {
  if (const auto* redirect = std::get_if<l7::Redirect>(&action)) {
    json result{{"status", redirect->status}};
    if (!redirect->scheme.empty()) result["scheme"] = redirect->scheme;
    if (!redirect->authority.empty()) result["authority"] = redirect->authority;
    if (redirect->port != 0) result["port"] = redirect->port;
    if (redirect->path.kind != l7::PathRewrite::Kind::none)
      result["path"] = rewrite_json(redirect->path);
    return json{{"redirect", std::move(result)}};
  }
  if (const auto* direct = std::get_if<l7::DirectResponse>(&action))
    return json{{"directResponse", json{{"status", direct->status}, {"body", direct->body}}}};
  const auto& forward = std::get<l7::Forward>(action);
  json result{{"clusters", clusters_json(forward.clusters)}};
  if (forward.path.kind != l7::PathRewrite::Kind::none) result["path"] = rewrite_json(forward.path);
  if (!forward.authority.empty()) result["authority"] = forward.authority;
  return json{{"forward", std::move(result)}};
}

json fault_json(const l7::Fault& fault) {
  json result = json::object();
  if (fault.delay_millionths > 0)
    result["delay"] = json{{"ms", ms(fault.delay)}, {"millionths", fault.delay_millionths}};
  if (fault.abort_millionths > 0) {
    json abort{{"millionths", fault.abort_millionths}};
    if (fault.abort_status != 0) abort["status"] = fault.abort_status;
    if (fault.abort_grpc_status) abort["grpcStatus"] = *fault.abort_grpc_status;
    result["abort"] = std::move(abort);
  }
  return result;
}

}  // namespace

json to_json(const l7::Route& route) {
  json result{{"name", route.name},
              {"origin", route.origin.to_string()},
              {"match", match_json(route.match)}};
  result.update(action_json(route.action));
  if (!route.request_headers.empty())
    result["requestHeaders"] = changes_json(route.request_headers);
  if (!route.response_headers.empty())
    result["responseHeaders"] = changes_json(route.response_headers);
  if (route.timeouts.request > Duration::zero()) result["timeoutMs"] = ms(route.timeouts.request);
  if (route.timeouts.backend > Duration::zero())
    result["backendTimeoutMs"] = ms(route.timeouts.backend);
  if (route.retry) {
    json retry{{"attempts", route.retry->attempts},
               {"on", route.retry->on},
               {"statuses", route.retry->statuses}};
    if (route.retry->per_try_timeout > Duration::zero())
      retry["perTryTimeoutMs"] = ms(route.retry->per_try_timeout);
    result["retry"] = std::move(retry);
  }
  for (const l7::Mirror& mirror : route.mirrors)
    result["mirrors"].push_back(
        json{{"cluster", mirror.cluster}, {"millionths", mirror.millionths}});
  if (route.fault) result["fault"] = fault_json(*route.fault);
  if (route.cors) {
    json origins = json::array();
    for (const l7::TextPattern& origin : route.cors->origins) origins.push_back(origin.to_string());
    result["cors"] = json{{"origins", std::move(origins)}, {"methods", route.cors->methods}};
  }
  if (route.persistence) result["sessionPersistence"] = route.persistence->name;
  return result;
}

json to_json(const l7::Chain& chain) {
  json routes = json::array();
  for (const l7::RoutePtr& route : chain.routes.routes()) routes.push_back(to_json(*route));
  json tcp_routes = json::array();
  for (const l7::TcpRoute& route : chain.tcp_routes) {
    tcp_routes.push_back(json{{"origin", route.origin.to_string()},
                              {"serverNames", route.server_names},
                              {"clusters", clusters_json(route.clusters)}});
  }
  return json{{"service", chain.service},
              {"port", chain.port},
              {"protocol", l7::name_of(chain.protocol)},
              {"routes", std::move(routes)},
              {"tcpRoutes", std::move(tcp_routes)}};
}

json to_json(const l7::Cluster& cluster) {
  const l7::PoolLimits& limits = cluster.limits;
  json result{{"key", cluster.key},
              {"name", l7::display_name(cluster)},
              {"connectTimeoutMs", ms(limits.connect_timeout)}};
  if (!cluster.subset.empty()) result["subset"] = cluster.subset;
  const auto limit = [&result](const char* name, std::uint32_t value) {
    if (value != l7::PoolLimits::kUnlimited) result["limits"][name] = value;
  };
  limit("connections", limits.connections_max);
  limit("pending", limits.pending_max);
  limit("requests", limits.requests_max);
  limit("retries", limits.retries_max);
  if (cluster.outlier) {
    result["outlierDetection"] =
        json{{"consecutive5xx", cluster.outlier->consecutive_5xx},
             {"consecutiveGatewayErrors", cluster.outlier->consecutive_gateway_errors},
             {"baseEjectionMs", ms(cluster.outlier->base_ejection)},
             {"ejectedPercentMax", cluster.outlier->ejected_percent_max}};
  }
  if (cluster.tls) result["tls"] = cluster.tls->server_name;
  return result;
}

}  // namespace aquifer::waypoint
