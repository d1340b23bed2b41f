// GRPCRoute -> RouteObject. A method is a path of HTTP/2: /SERVICE/METHOD.
#include "config/manifests/read_objects.h"
#include "config/manifests/route_parts.h"
#include "config/manifests/route_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

constexpr std::string_view kAnyPart = "[^/]+";

// What names of services and methods may be made of.
bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

std::string quoted_literally(std::string_view text) {
  std::string expression;
  for (const char c : text) {
    if (c == '.' || c == '-') expression += '\\';
    expression += c;
  }
  return expression;
}

void set_regex(const Fields& fields, std::string_view service, std::string_view method,
               l7::PathMatch& path) {
  path.kind = l7::PathMatch::Kind::regex;
  auto regex = read_regex(fields, "",
                          fmt::format("/(?:{})/(?:{})", service.empty() ? kAnyPart : service,
                                      method.empty() ? kAnyPart : method));
  if (regex) path.regex = std::move(*regex);
}

void read_method(Fields& fields, MatchObject& object) {
  l7::PathMatch& path = object.match.path;
  path.kind = l7::PathMatch::Kind::segment_prefix;
  if (!fields.present()) return;
  const std::string type = fields.text_or("type", "Exact");
  const std::string service = fields.text_or("service", "");
  const std::string method = fields.text_or("method", "");
  fields.finish();
  object.service_chars = service.size();
  object.method_chars = method.size();
  if (service.empty() && method.empty())
    return fields.error("", "names neither a service nor a method: write one, or leave it out");
  if (type == "RegularExpression") return set_regex(fields, service, method, path);
  if (type != "Exact") {
    return fields.error(
        "type", fmt::format("{} is none: write Exact or RegularExpression", in_quotes(type)));
  }
  for (const auto& [name, text] : {std::pair("service", service), std::pair("method", method)}) {
    if (!is_plain(text)) fields.error(name, fmt::format("{} is no name of gRPC", in_quotes(text)));
  }
  if (service.empty()) {
    set_regex(fields, "", quoted_literally(method), path);
  } else if (method.empty()) {
    path.text = "/" + service;
  } else {
    path.kind = l7::PathMatch::Kind::exact;
    path.text = fmt::format("/{}/{}", service, method);
  }
}

RouteRuleObject read_rule(Fields& fields, std::string_view ns) {
  RouteRuleObject rule;
  fields.each("matches", [&](Fields& item) {
    MatchObject object;
    Fields method = item.map("method");
    read_method(method, object);
    read_header_matches(item, object.match);
    item.finish();
    if (rule.matches.size() <= kMatchesMax) rule.matches.push_back(std::move(object));
  });
  if (!within(fields, "matches", rule.matches.size(), kMatchesMax)) rule.matches.clear();
  if (rule.matches.empty()) {
    rule.matches.emplace_back();
    rule.matches.back().match.path.kind = l7::PathMatch::Kind::segment_prefix;
  }
  rule.route.name = fields.text_or("name", "");
  read_filters(fields, ns, rule);
  fields.each("backendRefs", [&](Fields& backend) {
    rule.backends.push_back(read_backend_ref(backend, ns, BackendFilters::http));
  });
  if (!within(fields, "backendRefs", rule.backends.size(), kItemsMax)) rule.backends.clear();
  read_session_persistence(fields, rule.route);
  fields.finish();
  return rule;
}

}  // namespace

void read_grpc_route(Fields& fields, Metadata meta, FileObjects& out) {
  RouteObject route;
  route.kind = RouteKind::grpc;
  route.meta = std::move(meta);
  Fields spec = fields.map("spec");
  if (!spec.present()) fields.error("spec", "missing: write parentRefs and rules there");
  route.parents = read_parents(spec, route.meta.ns);
  route.hostnames = read_hostnames(spec);
  spec.each("rules", [&](Fields& item) {
    if (route.rules.size() <= kRulesMax) route.rules.push_back(read_rule(item, route.meta.ns));
  });
  (void)within(spec, "rules", route.rules.size(), kRulesMax);
  spec.ignore({"useDefaultGateways"});
  spec.finish();
  fields.ignore({"status"});
  fields.finish();
  out.grpc_routes.push_back(std::move(route));
}

}  // namespace aquifer::manifests
