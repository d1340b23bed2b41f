// TCPRoute and TLSRoute -> RouteObject: connections that are not looked into.
#include "config/manifests/read_objects.h"
#include "config/manifests/route_parts.h"
#include "config/manifests/route_values.h"

#include <utility>

namespace aquifer::manifests {
namespace {

RouteObject read_route(Fields& fields, Metadata meta, RouteKind kind) {
  RouteObject route;
  route.kind = kind;
  route.meta = std::move(meta);
  Fields spec = fields.map("spec");
  if (!spec.present()) fields.error("spec", "missing: write parentRefs and rules there");
  route.parents = read_parents(spec, route.meta.ns);
  if (kind == RouteKind::tls) route.hostnames = read_hostnames(spec);
  spec.each("rules", [&](Fields& item) {
    if (route.rules.size() > kRulesMax) return;
    RouteRuleObject rule;
    rule.route.name = item.text_or("name", "");
    item.each("backendRefs", [&](Fields& backend) {
      rule.backends.push_back(read_backend_ref(backend, route.meta.ns, BackendFilters::none));
    });
    if (!within(item, "backendRefs", rule.backends.size(), kItemsMax)) rule.backends.clear();
    item.finish();
    route.rules.push_back(std::move(rule));
  });
  (void)within(spec, "rules", route.rules.size(), kRulesMax);
  spec.ignore({"useDefaultGateways"});
  spec.finish();
  fields.ignore({"status"});
  fields.finish();
  return route;
}

}  // namespace

void read_tcp_route(Fields& fields, Metadata meta, FileObjects& out) {
  out.tcp_routes.push_back(read_route(fields, std::move(meta), RouteKind::tcp));
}

void read_tls_route(Fields& fields, Metadata meta, FileObjects& out) {
  out.tls_routes.push_back(read_route(fields, std::move(meta), RouteKind::tls));
}

}  // namespace aquifer::manifests
