// DestinationRule -> DestinationRuleObject.
#include "config/manifests/read_objects.h"
#include "config/manifests/read_traffic_policy.h"
#include "config/manifests/route_values.h"
#include "config/manifests/service_meta.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

SubsetObject read_subset(Fields& fields) {
  SubsetObject subset;
  subset.name = fields.text_or("name", "");
  subset.labels = fields.text_map("labels");
  Fields policy = fields.map("trafficPolicy");
  if (policy.present()) subset.policy = read_traffic_policy(policy);
  const bool plain = !subset.name.empty() && subset.name.size() <= 63 &&
                     std::ranges::all_of(subset.name, [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
                     });
  if (!plain) {
    fields.error("name", fmt::format("{} is no name of a subset: write letters, digits and dashes",
                                     in_quotes(subset.name)));
  }
  fields.finish();
  return subset;
}

// What Istio has no word for.
void read_annotations(const Fields& fields, DestinationRuleObject& rule) {
  const std::string* text = rule.meta.annotation("aquifer.dev/load-balancer");
  if (text == nullptr) return;
  if (!rule.policy.balancing) rule.policy.balancing.emplace();
  l7::Balancing& balancing = *rule.policy.balancing;
  if (*text == "EWMA") {
    balancing.kind = l7::BalancerKind::ewma;
  } else if (*text == "SOURCE_IDENTITY") {
    balancing.kind = l7::BalancerKind::maglev;
    l7::HashSource source;
    source.kind = l7::HashSource::Kind::source_identity;
    balancing.hash = {std::move(source)};
  } else {
    fields.error("metadata.annotations",
                 fmt::format("aquifer.dev/load-balancer: {} is none: write EWMA or SOURCE_IDENTITY",
                             in_quotes(*text)));
  }
}

}  // namespace

void read_destination_rule(Fields& fields, Metadata meta, FileObjects& out) {
  DestinationRuleObject rule;
  rule.meta = std::move(meta);
  Fields spec = fields.map("spec");
  if (!spec.present()) fields.error("spec", "missing: write host there");
  rule.host = lower_case(spec.text_or("host", ""));
  if (spec.present() && rule.host.empty())
    spec.error("host", "missing: write the service's host name");
  Fields policy = spec.map("trafficPolicy");
  if (policy.present()) rule.policy = read_traffic_policy(policy);
  spec.each("subsets", [&](Fields& item) {
    if (rule.subsets.size() <= kItemsMax) rule.subsets.push_back(read_subset(item));
  });
  (void)within(spec, "subsets", rule.subsets.size(), kItemsMax);
  std::vector<std::string> export_names;
  for (TextItem& item : spec.texts("exportTo")) export_names.push_back(std::move(item.text));
  rule.export_to = export_to(export_names, rule.meta.ns);
  rule.for_sidecars = spec.has("workloadSelector");
  if (rule.for_sidecars) {
    spec.warn("workloadSelector",
              "chooses sidecars: a waypoint does not read this DestinationRule; take the selector "
              "away");
  }
  read_annotations(fields, rule);
  spec.ignore({"workloadSelector"});
  spec.finish();
  fields.ignore({"status"});
  fields.finish();
  out.destination_rules.push_back(std::move(rule));
}

}  // namespace aquifer::manifests
