#include "config/manifests/l7/virtual_services.h"

#include "config/manifests/l7/destination_rules.h"
#include "config/manifests/l7/limits.h"
#include "config/manifests/l7/precedence.h"
#include "config/model/l7/routing_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace aquifer::manifests {
namespace {

using PathKind = l7::PathMatch::Kind;

l7::RouteOrigin origin_of(const VirtualServiceObject& object, std::size_t rule, std::size_t match) {
  l7::RouteOrigin origin;
  origin.kind = "VirtualService";
  origin.ns = object.meta.ns;
  origin.name = object.meta.name;
  origin.rule = rule;
  origin.match = match;
  return origin;
}

// Istio's rewrite.uri: of a prefix the prefix, of anything else the whole path.
void rewrite_path(const std::optional<std::string>& uri, const l7::PathMatch& path,
                  l7::Route& route) {
  auto* forward = std::get_if<l7::Forward>(&route.action);
  if (forward == nullptr || !uri) return;
  forward->path.text = *uri;
  const bool prefix = path.kind == PathKind::prefix || path.kind == PathKind::segment_prefix;
  forward->path.kind = prefix ? l7::PathRewrite::Kind::prefix : l7::PathRewrite::Kind::full;
}

std::string route_name(const std::string& rule, const std::string& match) {
  if (match.empty()) return rule;
  return rule.empty() ? match : rule + "." + match;
}

bool is_http(l7::Protocol protocol) noexcept {
  return protocol == l7::Protocol::http1 || protocol == l7::Protocol::http2 ||
         protocol == l7::Protocol::detect;
}

bool is_connections(l7::Protocol protocol) noexcept {
  return protocol == l7::Protocol::tcp || protocol == l7::Protocol::tls ||
         protocol == l7::Protocol::detect;
}

}  // namespace

VirtualServices::VirtualServices(const MeshServices& services, const ChainMaker& maker)
    : maker_(maker) {
  std::vector<const VirtualServiceObject*> all;
  services.assembly().for_each(&FileObjects::virtual_services,
                               [&](const VirtualServiceObject& object) {
                                 if (object.for_mesh) all.push_back(&object);
                               });
  std::ranges::sort(all, [](const auto* a, const auto* b) { return is_older(a->meta, b->meta); });
  std::vector<std::pair<std::size_t, Wildcard>> wildcards;
  for (const VirtualServiceObject* object : all) {
    for (const std::string& written : object->hosts) {
      std::string host = services.full_host(written, object->meta.ns);
      if (host.starts_with('*')) {
        wildcards.push_back({wildcards.size(), {std::move(host), object}});
        continue;
      }
      auto& of_host = by_host_[host];
      if (std::ranges::find(of_host, object) == of_host.end()) of_host.push_back(object);
    }
  }
  std::ranges::sort(wildcards, [](const auto& a, const auto& b) {
    if (a.second.host.size() != b.second.host.size())
      return a.second.host.size() > b.second.host.size();
    return a.first < b.first;
  });
  for (auto& [place, wildcard] : wildcards) wildcards_.push_back(std::move(wildcard));
}

std::vector<const VirtualServiceObject*> VirtualServices::of(const model::Service& service) const {
  const std::string waypoint = waypoint_ns(service);
  std::vector<const VirtualServiceObject*> found;
  const auto add = [&](const VirtualServiceObject* object) {
    const bool visible = object->export_to.empty() ||
                         std::ranges::find(object->export_to, waypoint) != object->export_to.end();
    if (visible && std::ranges::find(found, object) == found.end()) found.push_back(object);
  };
  if (const auto at = by_host_.find(service.hostname); at != by_host_.end()) {
    for (const VirtualServiceObject* object : at->second) add(object);
  }
  for (const Wildcard& wildcard : wildcards_) {
    if (host_covers(wildcard.host, service.hostname)) add(wildcard.object);
  }
  return found;
}

l7::Route VirtualServices::rule_of(const VirtualServiceObject& object, std::size_t rule,
                                   std::uint16_t port) const {
  const RouteRuleObject& written = object.http[rule];
  l7::Route route = written.route;
  if (auto* forward = std::get_if<l7::Forward>(&route.action)) {
    if (written.backends.empty()) {
      l7::DirectResponse response;
      response.status = 500;
      route.action = std::move(response);
    } else {
      forward->clusters = maker_.clusters(written.backends, object.meta.ns, port);
    }
  }
  route.mirrors = maker_.mirrors(written.mirrors, object.meta.ns, port);
  return route;
}

void VirtualServices::add_requests(const VirtualServiceObject& object,
                                   const model::ServicePort& port,
                                   std::vector<l7::RoutePtr>& routes) {
  for (std::size_t rule = 0; rule < object.http.size(); ++rule) {
    const std::vector<MatchObject>& matches = object.http[rule].matches;
    std::optional<l7::Route> made;
    for (std::size_t i = 0; i < matches.size(); ++i) {
      if (matches[i].port != 0 && matches[i].port != port.port) continue;
      if (++routes_made_ > kRoutesMax) return;
      if (!made) made = rule_of(object, rule, port.port);
      auto route = std::make_shared<l7::Route>(*made);
      route->name = route_name(made->name, matches[i].name);
      route->origin = origin_of(object, rule, i);
      route->match = matches[i].match;
      rewrite_path(object.http[rule].rewrite_uri, matches[i].match.path, *route);
      routes.push_back(std::move(route));
    }
  }
}

void VirtualServices::add_connections(const VirtualServiceObject& object,
                                      const model::ServicePort& port,
                                      std::vector<l7::TcpRoute>& routes) const {
  for (const std::vector<ConnectionRuleObject>* rules : {&object.tls, &object.tcp}) {
    for (std::size_t rule = 0; rule < rules->size(); ++rule) {
      const ConnectionRuleObject& written = (*rules)[rule];
      if (written.backends.empty()) continue;
      l7::TcpRoute route;
      route.clusters = maker_.clusters(written.backends, object.meta.ns, port.port);
      if (written.matches.empty()) {
        route.origin = origin_of(object, rule, 0);
        routes.push_back(std::move(route));
        continue;
      }
      for (std::size_t i = 0; i < written.matches.size(); ++i) {
        const ConnectionRuleObject::Match& match = written.matches[i];
        if (match.port != 0 && match.port != port.port) continue;
        route.origin = origin_of(object, rule, i);
        route.server_names = match.server_names;
        route.source_namespace = match.source_namespace;
        routes.push_back(route);
      }
    }
  }
}

l7::ChainPtr VirtualServices::make(const VirtualServiceObject& object,
                                   const model::ServiceRecord& record,
                                   const model::ServicePort& port) {
  auto chain = std::make_shared<l7::Chain>(empty_chain(*record.service, port));
  std::vector<l7::RoutePtr> requests;
  if (is_http(chain->protocol)) add_requests(object, port, requests);
  if (is_connections(chain->protocol)) add_connections(object, port, chain->tcp_routes);
  if (requests.empty() && chain->tcp_routes.empty()) return nullptr;
  // It speaks of connections alone: requests go where they would go without it.
  if (requests.empty() && is_http(chain->protocol)) {
    const l7::ChainPtr usual = l7::default_chain(*record.service, port);
    requests.assign(usual->routes.routes().begin(), usual->routes.routes().end());
  }
  chain->routes = l7::RouteTable(std::move(requests));
  return chain;
}

}  // namespace aquifer::manifests
