#include "config/manifests/l7/chain_maker.h"

#include "config/manifests/l7/limits.h"
#include "config/model/l7/routing_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace aquifer::manifests {
namespace {

bool is_http(RouteKind kind) noexcept {
  return kind == RouteKind::http || kind == RouteKind::grpc;
}

// Consumers whose routes all do not match are not given those of the service's own namespace.
l7::RoutePtr nothing_matches(const RouteGroup& group) {
  l7::Route route;
  const RouteObject& first = *group.counted.front();
  route.name = fmt::format("{}.no-rule-matches", group.clients_ns);
  route.origin.kind = name_of(first.kind);
  route.origin.ns = first.meta.ns;
  route.origin.name = first.meta.name;
  route.origin.rule = first.rules.size();
  route.match.source_namespace = group.clients_ns;
  l7::DirectResponse response;
  response.status = 404;
  route.action = std::move(response);
  return std::make_shared<const l7::Route>(std::move(route));
}

}  // namespace

l7::Chain empty_chain(const model::Service& service, const model::ServicePort& port) {
  l7::Chain chain;
  chain.service = model::service_key(service.ns, service.hostname);
  chain.port = port.port;
  chain.protocol = l7::protocol_of(port.app_protocol, port.name);
  return chain;
}

std::string ChainMaker::key_of(const BackendObject& backend, std::string_view from_ns,
                               std::uint16_t usual_port) const {
  const BackendTarget target = services_.backend(backend, from_ns, usual_port);
  if (target.record == nullptr) return {};
  const model::Service& service = *target.record->service;
  std::string key = l7::cluster_key(service.ns, service.hostname, target.port, backend.subset);
  if (!backend.subset.empty() && !clusters_.has(key)) return {};
  return key;
}

std::vector<l7::WeightedCluster> ChainMaker::clusters(const std::vector<BackendObject>& backends,
                                                      std::string_view from_ns,
                                                      std::uint16_t usual_port) const {
  std::vector<l7::WeightedCluster> clusters;
  for (const BackendObject& backend : backends) {
    l7::WeightedCluster cluster;
    cluster.cluster = key_of(backend, from_ns, usual_port);
    cluster.weight = backend.weight;
    cluster.request_headers = backend.request_headers;
    cluster.response_headers = backend.response_headers;
    clusters.push_back(std::move(cluster));
  }
  return clusters;
}

std::vector<l7::Mirror> ChainMaker::mirrors(const std::vector<MirrorObject>& mirrors,
                                            std::string_view from_ns,
                                            std::uint16_t usual_port) const {
  std::vector<l7::Mirror> result;
  for (const MirrorObject& mirror : mirrors) {
    std::string key = key_of(mirror.backend, from_ns, usual_port);
    // A copy that nobody gets: `check` says so.
    if (!key.empty()) result.push_back({std::move(key), mirror.millionths});
  }
  return result;
}

l7::Route ChainMaker::rule_of(const RouteObject& object, std::size_t rule) const {
  const RouteRuleObject& written = object.rules[rule];
  l7::Route route = written.route;
  if (route.name.empty())
    route.name = fmt::format("{}.{}.{}", object.meta.ns, object.meta.name, rule);
  route.origin.kind = name_of(object.kind);
  route.origin.ns = object.meta.ns;
  route.origin.name = object.meta.name;
  route.origin.rule = rule;
  if (auto* forward = std::get_if<l7::Forward>(&route.action)) {
    if (written.backends.empty()) {
      // HTTPRouteRule.backendRefs: nobody there, and nothing that answers in their place.
      l7::DirectResponse response;
      response.status = 500;
      route.action = std::move(response);
    } else {
      forward->clusters = clusters(written.backends, object.meta.ns);
    }
  }
  route.mirrors = mirrors(written.mirrors, object.meta.ns);
  return route;
}

void ChainMaker::add_requests(const RouteGroup& group, std::vector<l7::RoutePtr>& routes) {
  std::map<std::pair<const RouteObject*, std::size_t>, l7::Route> rules;
  for (const RankedMatch& ranked : in_order(group.counted)) {
    if (++routes_made_ > kRoutesMax) return;
    const std::pair key(ranked.route, ranked.rule);
    auto rule = rules.find(key);
    if (rule == rules.end()) rule = rules.emplace(key, rule_of(*ranked.route, ranked.rule)).first;
    auto route = std::make_shared<l7::Route>(rule->second);
    route->match = ranked.route->rules[ranked.rule].matches[ranked.match].match;
    route->match.source_namespace = group.clients_ns;
    route->origin.match = ranked.match;
    routes.push_back(std::move(route));
  }
  if (!group.clients_ns.empty()) routes.push_back(nothing_matches(group));
}

void ChainMaker::add_connections(const RouteGroup& group, std::vector<l7::TcpRoute>& routes) const {
  std::vector<const RouteObject*> objects = group.counted;
  std::ranges::sort(objects, [](const RouteObject* a, const RouteObject* b) {
    return is_older(a->meta, b->meta);
  });
  for (const RouteObject* object : objects) {
    for (std::size_t rule = 0; rule < object->rules.size(); ++rule) {
      l7::TcpRoute route;
      route.origin.kind = name_of(object->kind);
      route.origin.ns = object->meta.ns;
      route.origin.name = object->meta.name;
      route.origin.rule = rule;
      route.server_names = object->hostnames;
      route.source_namespace = group.clients_ns;
      route.clusters = clusters(object->rules[rule].backends, object->meta.ns);
      routes.push_back(std::move(route));
    }
  }
}

l7::ChainPtr ChainMaker::make(const PortAttachments& port) {
  auto chain = std::make_shared<l7::Chain>(empty_chain(*port.record->service, *port.port));
  std::vector<l7::RoutePtr> requests;
  bool http_for_all = false;
  bool connections_for_all = false;
  for (const RouteGroup& group : port.groups) {
    if (group.counted.empty()) continue;
    if (is_http(group.kind)) {
      add_requests(group, requests);
      http_for_all = http_for_all || group.clients_ns.empty();
    } else {
      add_connections(group, chain->tcp_routes);
      connections_for_all = connections_for_all || group.clients_ns.empty();
      // What a TCPRoute sends somewhere is not looked into, whatever it would turn out to be.
      if (group.clients_ns.empty() && chain->protocol == l7::Protocol::detect) {
        chain->protocol = group.kind == RouteKind::tls ? l7::Protocol::tls : l7::Protocol::tcp;
      }
    }
  }
  if (requests.empty() && chain->tcp_routes.empty()) return nullptr;
  // Clients without routes of their own: as if there were none at all.
  if (!http_for_all && chain->protocol != l7::Protocol::tcp &&
      chain->protocol != l7::Protocol::tls) {
    const l7::ChainPtr usual = l7::default_chain(*port.record->service, *port.port);
    for (const l7::RoutePtr& route : usual->routes.routes()) requests.push_back(route);
  }
  chain->routes = l7::RouteTable(std::move(requests));
  return chain;
}

}  // namespace aquifer::manifests
