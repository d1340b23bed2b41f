// VirtualService -> VirtualServiceObject.
#include "config/manifests/read_virtual_service.h"

#include "config/manifests/read_objects.h"
#include "config/manifests/route_values.h"
#include "config/manifests/service_meta.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

constexpr std::string_view kMesh = "mesh";

// Labels of the client are nothing that a waypoint knows.
bool read_source_labels(Fields& fields) {
  if (!fields.has("sourceLabels")) return true;
  fields.warn("sourceLabels",
              "a waypoint does not know its clients' labels: this match is never true; write "
              "sourceNamespace");
  return false;
}

std::optional<ConnectionRuleObject::Match> read_connection_match(Fields& fields) {
  ConnectionRuleObject::Match match;
  for (const TextItem& item : fields.texts("sniHosts"))
    match.server_names.push_back(lower_case(item.text));
  if (!within(fields, "sniHosts", match.server_names.size(), kItemsMax)) match.server_names.clear();
  match.port = fields.port("port").value_or(0);
  match.source_namespace = fields.text_or("sourceNamespace", "");
  bool possible = read_source_labels(fields);
  possible = is_for_mesh(fields) && possible;
  for (const std::string_view name : {"destinationSubnets", "sourceSubnet"}) {
    if (!fields.has(name)) continue;
    fields.warn(name, "is not read by waypoints: this match is never true");
    possible = false;
  }
  fields.ignore({"sourceLabels", "destinationSubnets", "sourceSubnet"});
  fields.finish();
  if (!possible) return std::nullopt;
  return match;
}

}  // namespace

bool is_for_mesh(Fields& fields) {
  const std::vector<TextItem> gateways = fields.texts("gateways");
  return gateways.empty() ||
         std::ranges::any_of(gateways, [](const TextItem& item) { return item.text == kMesh; });
}

BackendObject read_destination(Fields& fields) {
  BackendObject backend;
  backend.group = "networking.istio.io";
  backend.kind = "Hostname";
  backend.name = lower_case(fields.text_or("host", ""));
  backend.subset = fields.text_or("subset", "");
  Fields port = fields.map("port");
  backend.port = port.port("number").value_or(0);
  port.finish();
  if (backend.name.empty()) fields.error("host", "missing: write the host name of a service");
  fields.finish();
  return backend;
}

ConnectionRuleObject read_connection_rule(Fields& fields) {
  ConnectionRuleObject rule;
  bool any_written = false;
  fields.each("match", [&](Fields& item) {
    any_written = true;
    if (rule.matches.size() > kMatchesMax) return;
    if (auto match = read_connection_match(item)) rule.matches.push_back(std::move(*match));
  });
  (void)within(fields, "match", rule.matches.size(), kMatchesMax);
  fields.each("route", [&](Fields& item) {
    Fields destination = item.map("destination");
    if (!destination.present()) {
      item.error("destination", "missing: write {host: ...}");
    } else if (rule.backends.size() <= kItemsMax) {
      rule.backends.push_back(read_destination(destination));
      const auto weight = read_count(item, "weight", 1'000'000);
      rule.backends.back().weight = weight.value_or(0);
      if (!weight && rule.backends.size() == 1) rule.backends.back().weight = 1;
    }
    item.finish();
  });
  (void)within(fields, "route", rule.backends.size(), kItemsMax);
  fields.finish();
  // All of its matches are impossible: so is the rule.
  if (any_written && rule.matches.empty()) rule.backends.clear();
  return rule;
}

void read_virtual_service(Fields& fields, Metadata meta, FileObjects& out) {
  VirtualServiceObject object;
  object.meta = std::move(meta);
  Fields spec = fields.map("spec");
  if (!spec.present()) fields.error("spec", "missing: write hosts and http there");
  for (const TextItem& item : spec.texts("hosts")) object.hosts.push_back(lower_case(item.text));
  if (!within(spec, "hosts", object.hosts.size(), kRulesMax)) object.hosts.clear();
  object.for_mesh = is_for_mesh(spec);
  std::vector<std::string> export_names;
  for (TextItem& item : spec.texts("exportTo")) export_names.push_back(std::move(item.text));
  object.export_to = export_to(export_names, object.meta.ns);
  spec.each("http", [&](Fields& item) {
    if (object.http.size() <= kRulesMax) object.http.push_back(read_request_rule(item));
  });
  (void)within(spec, "http", object.http.size(), kRulesMax);
  const auto read_connections = [&](std::string_view name,
                                    std::vector<ConnectionRuleObject>& rules) {
    spec.each(name, [&](Fields& item) {
      if (rules.size() <= kRulesMax) rules.push_back(read_connection_rule(item));
    });
    (void)within(spec, name, rules.size(), kRulesMax);
  };
  read_connections("tls", object.tls);
  read_connections("tcp", object.tcp);
  spec.finish();
  fields.ignore({"status"});
  fields.finish();
  out.virtual_services.push_back(std::move(object));
}

}  // namespace aquifer::manifests
