// HTTPRoute -> RouteObject.
#include "config/manifests/read_objects.h"
#include "config/manifests/route_parts.h"
#include "config/manifests/route_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace aquifer::manifests {
namespace {

constexpr std::array kMethods = {
    std::string_view("GET"),     std::string_view("HEAD"),   std::string_view("POST"),
    std::string_view("PUT"),     std::string_view("DELETE"), std::string_view("CONNECT"),
    std::string_view("OPTIONS"), std::string_view("TRACE"),  std::string_view("PATCH"),
};
// Beyond this a retry policy is an attack on its own backend.
constexpr std::uint32_t kAttemptsMax = 100;

l7::PathMatch whole_prefix() {
  l7::PathMatch path;
  path.kind = l7::PathMatch::Kind::segment_prefix;
  return path;
}

l7::PathMatch read_path(Fields& fields) {
  l7::PathMatch path = whole_prefix();
  if (!fields.present()) return path;
  const std::string type = fields.text_or("type", "PathPrefix");
  const std::string value = fields.text_or("value", "/");
  if (type == "RegularExpression") {
    path.kind = l7::PathMatch::Kind::regex;
    if (auto regex = read_regex(fields, "value", value)) path.regex = std::move(*regex);
  } else if (type == "Exact" || type == "PathPrefix") {
    if (auto text = match_path(fields, "value", value)) path.text = std::move(*text);
    if (type == "Exact") path.kind = l7::PathMatch::Kind::exact;
    // A prefix of segments: "/a/" is "/a" (HTTPPathMatch).
    while (type == "PathPrefix" && path.text.ends_with('/')) path.text.pop_back();
  } else {
    fields.error("type", fmt::format("{} is none: write Exact, PathPrefix or RegularExpression",
                                     in_quotes(type)));
  }
  fields.finish();
  return path;
}

void read_query(Fields& match, l7::RouteMatch& out) {
  match.each("queryParams", [&](Fields& item) {
    l7::QueryMatch query;
    query.name = item.text_or("name", "");
    const std::string type = item.text_or("type", "Exact");
    const std::string value = item.text_or("value", "");
    if (query.name.empty()) item.error("name", "missing: write the parameter's name");
    if (!item.has("value")) item.error("value", "missing: write what the parameter must be");
    item.finish();
    if (type == "RegularExpression") {
      auto regex = read_regex(item, "value", value);
      if (!regex) return;
      query.value.kind = l7::TextPattern::Kind::regex;
      query.value.regex = std::move(*regex);
    } else if (type == "Exact") {
      query.value = l7::TextPattern::exact(value);
    } else {
      return item.error(
          "type", fmt::format("{} is none: write Exact or RegularExpression", in_quotes(type)));
    }
    // HTTPRouteMatch.queryParams: of several with one name the first counts.
    const auto same = std::ranges::find(out.query, query.name, &l7::QueryMatch::name);
    if (same == out.query.end()) out.query.push_back(std::move(query));
  });
  if (!within(match, "queryParams", out.query.size(), kItemsMax)) out.query.clear();
}

MatchObject read_match(Fields& fields) {
  MatchObject object;
  Fields path = fields.map("path");
  object.match.path = read_path(path);
  read_header_matches(fields, object.match);
  read_query(fields, object.match);
  object.match.method = fields.text_or("method", "");
  const std::string& method = object.match.method;
  if (!method.empty() && std::ranges::find(kMethods, method) == kMethods.end()) {
    fields.error("method", fmt::format("{} is none: write GET, POST and so on, in capitals",
                                       in_quotes(method)));
  }
  fields.finish();
  return object;
}

void read_timeouts(Fields& rule, l7::Route& route) {
  Fields fields = rule.map("timeouts");
  route.timeouts.request = read_duration(fields, "request").value_or(Duration::zero());
  route.timeouts.backend = read_duration(fields, "backendRequest").value_or(Duration::zero());
  fields.finish();
  const l7::Timeouts& timeouts = route.timeouts;
  if (timeouts.request > Duration::zero() && timeouts.backend > timeouts.request) {
    fields.error("backendRequest", "is longer than request, which holds for all tries together");
  }
}

// GEP-1731: besides the codes, failures of connections and time-outs of a try are retried.
void read_retry(Fields& rule, l7::Route& route) {
  Fields fields = rule.map("retry");
  if (!fields.present()) return;
  l7::RetryPolicy policy = l7::default_retry_policy();
  policy.configured = true;
  policy.on |= static_cast<std::uint32_t>(l7::RetryOn::reset);
  for (const TextItem& item : fields.texts("codes")) {
    const bool code = item.text.size() == 3 && item.text >= "400" && item.text <= "599" &&
                      item.text.find_first_not_of("0123456789") == std::string::npos;
    if (code) {
      policy.statuses.push_back(std::stoi(item.text));
    } else {
      fields.error_at(
          item.line, "codes",
          fmt::format("{} is none: write a status from 400 to 599", in_quotes(item.text)));
    }
  }
  if (!within(fields, "codes", policy.statuses.size(), kItemsMax)) policy.statuses.clear();
  policy.attempts = read_count(fields, "attempts", kAttemptsMax).value_or(policy.attempts);
  if (const auto backoff = read_duration(fields, "backoff");
      backoff && *backoff > Duration::zero()) {
    policy.backoff_base = *backoff;
    // As Envoy, where nothing is said about the longest.
    policy.backoff_max = *backoff * 10;
  }
  policy.per_try_timeout = route.timeouts.backend;
  fields.finish();
  route.retry = std::move(policy);
}

RouteRuleObject read_rule(Fields& fields, std::string_view ns) {
  RouteRuleObject rule;
  fields.each("matches", [&](Fields& match) { rule.matches.push_back(read_match(match)); });
  if (!within(fields, "matches", rule.matches.size(), kMatchesMax)) rule.matches.clear();
  if (rule.matches.empty()) {
    rule.matches.emplace_back();
    rule.matches.back().match.path = whole_prefix();
  }
  rule.route.name = fields.text_or("name", "");
  read_filters(fields, ns, rule);
  fields.each("backendRefs", [&](Fields& backend) {
    rule.backends.push_back(read_backend_ref(backend, ns, BackendFilters::http));
  });
  if (!within(fields, "backendRefs", rule.backends.size(), kItemsMax)) rule.backends.clear();
  if (!rule.backends.empty() && std::holds_alternative<l7::Redirect>(rule.route.action)) {
    fields.error("backendRefs",
                 "stand beside RequestRedirect, which sends nobody there: take one "
                 "of the two away");
  }
  read_timeouts(fields, rule.route);
  read_retry(fields, rule.route);
  read_session_persistence(fields, rule.route);
  fields.finish();
  return rule;
}

}  // namespace

void read_http_route(Fields& fields, Metadata meta, FileObjects& out) {
  RouteObject route;
  route.kind = RouteKind::http;
  route.meta = std::move(meta);
  Fields spec = fields.map("spec");
  if (!spec.present()) fields.error("spec", "missing: write parentRefs and rules there");
  route.parents = read_parents(spec, route.meta.ns);
  route.hostnames = read_hostnames(spec);
  spec.each("rules", [&](Fields& item) {
    if (route.rules.size() > kRulesMax) return;
    route.rules.push_back(read_rule(item, route.meta.ns));
  });
  (void)within(spec, "rules", route.rules.size(), kRulesMax);
  // The default of the kind: one rule that matches everything.
  if (spec.present() && !spec.has("rules")) {
    route.rules.emplace_back();
    route.rules.back().matches.emplace_back();
    route.rules.back().matches.back().match.path = whole_prefix();
    route.rules.back().route.action = l7::Forward();
  }
  spec.ignore({"useDefaultGateways"});
  spec.finish();
  fields.ignore({"status"});
  fields.finish();
  out.http_routes.push_back(std::move(route));
}

}  // namespace aquifer::manifests
