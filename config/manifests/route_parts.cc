#include "config/manifests/route_parts.h"

#include "common/base/header_fields.h"
#include "config/manifests/route_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

// Gateway API's own bound.
constexpr std::uint32_t kWeightMax = 1'000'000;
constexpr std::string_view kGatewayGroup = "gateway.networking.k8s.io";

void read_changes(Fields& fields, std::string_view name, l7::HeaderChange::How how,
                  l7::HeaderChanges& changes) {
  fields.each(name, [&](Fields& item) {
    const auto header = header_name(item, "name", item.text_or("name", ""), PseudoHeaders::refused);
    const std::string value = item.text_or("value", "");
    if (!is_field_value(value)) item.error("value", "holds a control character");
    item.finish();
    if (header) changes.push_back({how, *header, value});
  });
}

bool is_absent(const std::vector<l7::HeaderMatch>& headers, std::string_view name) {
  return std::ranges::find(headers, name, &l7::HeaderMatch::name) == headers.end();
}

}  // namespace

std::string_view name_of(RouteKind kind) noexcept {
  switch (kind) {
    case RouteKind::grpc: return "GRPCRoute";
    case RouteKind::http: return "HTTPRoute";
    case RouteKind::tls: return "TLSRoute";
    case RouteKind::tcp: return "TCPRoute";
  }
  return "";
}

std::vector<ParentObject> read_parents(Fields& spec, std::string_view ns) {
  std::vector<ParentObject> parents;
  spec.each("parentRefs", [&](Fields& item) {
    ParentObject parent;
    parent.group = item.text_or("group", kGatewayGroup);
    parent.kind = item.text_or("kind", "Gateway");
    parent.ns = item.text_or("namespace", ns);
    parent.name = item.text_or("name", "");
    parent.port = item.port("port").value_or(0);
    parent.section_name = item.text_or("sectionName", "");
    if (parent.name.empty()) item.error("name", "missing: write the name of a Service");
    item.finish();
    parents.push_back(std::move(parent));
  });
  if (!within(spec, "parentRefs", parents.size(), kItemsMax)) parents.clear();
  return parents;
}

std::vector<std::string> read_hostnames(Fields& spec) {
  std::vector<std::string> names;
  for (const TextItem& item : spec.texts("hostnames")) names.push_back(lower_case(item.text));
  if (!within(spec, "hostnames", names.size(), kItemsMax)) names.clear();
  return names;
}

BackendObject read_backend(Fields& fields, std::string_view ns) {
  BackendObject backend;
  backend.group = fields.text_or("group", "");
  backend.kind = fields.text_or("kind", "Service");
  backend.ns = fields.text_or("namespace", ns);
  backend.name = fields.text_or("name", "");
  backend.port = fields.port("port").value_or(0);
  if (backend.name.empty()) fields.error("name", "missing: write the name of a Service");
  return backend;
}

BackendObject read_backend_ref(Fields& fields, std::string_view ns, BackendFilters filters) {
  BackendObject backend = read_backend(fields, ns);
  backend.weight = read_count(fields, "weight", kWeightMax).value_or(1);
  if (filters == BackendFilters::http) {
    fields.each("filters", [&](Fields& filter) {
      const std::string type = filter.text_or("type", "");
      if (type == "RequestHeaderModifier" || type == "ResponseHeaderModifier") {
        const bool request = type == "RequestHeaderModifier";
        Fields modifier = filter.map(request ? "requestHeaderModifier" : "responseHeaderModifier");
        auto& into = request ? backend.request_headers : backend.response_headers;
        for (l7::HeaderChange& change : read_header_modifier(modifier))
          into.push_back(std::move(change));
      } else {
        filter.warn("type", fmt::format("{} is not supported for a single backend: its share is "
                                        "answered 500; write it as a filter of the rule",
                                        in_quotes(type)));
        backend.unusable = true;
        return;
      }
      filter.finish();
    });
  }
  fields.finish();
  return backend;
}

l7::HeaderChanges read_header_modifier(Fields& fields) {
  using How = l7::HeaderChange::How;
  l7::HeaderChanges changes;
  // What is taken out goes first, or it would take out what was just added.
  for (const TextItem& item : fields.texts("remove")) {
    if (const auto name = header_name(fields, "remove", item.text, PseudoHeaders::refused))
      changes.push_back({How::remove, *name, ""});
  }
  read_changes(fields, "set", How::set, changes);
  read_changes(fields, "add", How::add, changes);
  fields.finish();
  if (!within(fields, "", changes.size(), kItemsMax)) changes.clear();
  return changes;
}

void read_header_matches(Fields& match, l7::RouteMatch& out) {
  match.each("headers", [&](Fields& item) {
    const auto name = header_name(item, "name", item.text_or("name", ""), PseudoHeaders::refused);
    const std::string type = item.text_or("type", "Exact");
    const std::string value = item.text_or("value", "");
    if (!item.has("value")) item.error("value", "missing: write what the field must be");
    item.finish();
    l7::HeaderMatch header;
    if (type == "RegularExpression") {
      auto regex = read_regex(item, "value", value);
      if (!regex) return;
      header.value.kind = l7::TextPattern::Kind::regex;
      header.value.regex = std::move(*regex);
    } else if (type == "Exact") {
      header.value = l7::TextPattern::exact(value);
    } else {
      return item.error(
          "type", fmt::format("{} is none: write Exact or RegularExpression", in_quotes(type)));
    }
    // Gateway API, HTTPRouteMatch.headers: of several with one name the first counts.
    if (!name || !is_absent(out.headers, *name)) return;
    header.name = *name;
    out.headers.push_back(std::move(header));
  });
  if (!within(match, "headers", out.headers.size(), kItemsMax)) out.headers.clear();
}

void read_session_persistence(Fields& rule_fields, l7::Route& route) {
  Fields fields = rule_fields.map("sessionPersistence");
  if (!fields.present()) return;
  l7::Persistence persistence;
  const std::string type = fields.text_or("type", "Cookie");
  if (type == "Header") {
    persistence.type = l7::Persistence::Type::header;
  } else if (type != "Cookie") {
    fields.error("type", fmt::format("{} is none: write Cookie or Header", in_quotes(type)));
  }
  persistence.name = fields.text_or("sessionName", "aquifer-session");
  if (!is_token(persistence.name)) {
    fields.error("sessionName", fmt::format("{} cannot be the name of a cookie or header field",
                                            in_quotes(persistence.name)));
  }
  using std::chrono::seconds;
  const auto in_seconds = [&](std::string_view name) -> std::optional<seconds> {
    const auto duration = read_duration(fields, name);
    if (!duration) return std::nullopt;
    return std::chrono::ceil<seconds>(*duration);
  };
  persistence.absolute_timeout = in_seconds("absoluteTimeout");
  persistence.idle_timeout = in_seconds("idleTimeout");
  Fields cookie = fields.map("cookieConfig");
  const std::string lifetime = cookie.text_or("lifetimeType", "Session");
  if (lifetime == "Permanent") {
    persistence.permanent_cookie = true;
    if (!persistence.absolute_timeout) {
      cookie.error("lifetimeType", "Permanent needs absoluteTimeout: write it, or Session here");
    }
  } else if (lifetime != "Session") {
    cookie.error("lifetimeType",
                 fmt::format("{} is none: write Session or Permanent", in_quotes(lifetime)));
  }
  cookie.finish();
  fields.finish();
  persistence.path = "/";
  route.persistence = std::move(persistence);
}

void answer_500(RouteRuleObject& rule) {
  l7::DirectResponse response;
  response.status = 500;
  rule.route.action = std::move(response);
}

}  // namespace aquifer::manifests
