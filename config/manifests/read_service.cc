// Service -> ServiceObject, EndpointSlice -> EndpointSliceObject.
#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace aquifer::manifests {
namespace {

constexpr std::string_view kNone = "None";

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// A number is a port, anything else the name of one; without it, the service's own port.
void read_target(Fields& fields, ServicePortObject& port) {
  const YamlNode* node = fields.raw("targetPort");
  if (node == nullptr) {
    port.target = port.port;
  } else if (node->kind == YamlKind::scalar && !is_number(node->text)) {
    port.target_name = node->text;
  } else if (const auto number = fields.port("targetPort")) {
    port.target = *number;
  }
}

void read_service_port(Fields& fields, ServiceObject& service) {
  ServicePortObject port;
  port.line = fields.line();
  port.name = fields.text_or("name", "");
  const std::string protocol = fields.text_or("protocol", "TCP");
  const bool given = fields.has("port");
  const auto number = fields.port("port");
  if (!given) fields.error("port", "missing: write the port that clients use");
  port.port = number.value_or(0);
  read_target(fields, port);
  port.app_protocol = fields.text_or("appProtocol", "");
  fields.ignore({"nodePort"});
  fields.finish();
  // Only TCP is carried; the others go their own way.
  if (!number || protocol != "TCP") return;
  const bool repeated =
      std::ranges::find(service.ports, *number, &ServicePortObject::port) != service.ports.end();
  if (repeated)
    return fields.error("port", fmt::format("{} stands here twice for TCP: keep one", *number));
  service.ports.push_back(std::move(port));
}

void add_service_address(const Fields& spec, std::string_view field, const TextItem& item,
                         ServiceObject& service) {
  if (item.text.empty()) return;
  if (item.text == kNone) {
    service.headless = true;
    return;
  }
  const auto address = read_address(spec, field, item);
  if (!address) return;
  const bool known = std::ranges::find(service.addresses, *address) != service.addresses.end();
  if (!known) service.addresses.push_back(*address);
}

// Addresses of a load balancer that hands connections on unchanged are addresses of the service
// inside, too.
void read_load_balancer(Fields& object, ServiceObject& service) {
  Fields status = object.map("status");
  Fields balancer = status.map("loadBalancer");
  balancer.each("ingress", [&](Fields& ingress) {
    const auto ip = ingress.text("ip");
    if (ip && ingress.text_or("ipMode", "VIP") == "VIP") {
      add_service_address(ingress, "ip", {*ip, ingress.line()}, service);
    }
  });
}

void read_service_spec(Fields& spec, ServiceObject& service) {
  service.type = spec.text_or("type", "ClusterIP");
  if (const YamlNode* node = spec.raw("clusterIP"); node != nullptr) {
    add_service_address(spec, "clusterIP", {node->text, node->line}, service);
  }
  for (const TextItem& item : spec.texts("clusterIPs"))
    add_service_address(spec, "clusterIPs", item, service);
  spec.each("ports", [&](Fields& port) { read_service_port(port, service); });
  service.selector = spec.text_map("selector");
  service.publish_not_ready = spec.boolean("publishNotReadyAddresses").value_or(false);
  service.traffic_distribution = spec.text_or("trafficDistribution", "");
  service.internal_traffic_policy = spec.text_or("internalTrafficPolicy", "Cluster");
  service.external_name = spec.text_or("externalName", "");
  for (TextItem& item : spec.texts("ipFamilies"))
    service.ip_families.push_back(std::move(item.text));
  spec.ignore({"allocateLoadBalancerNodePorts", "externalIPs", "externalTrafficPolicy",
               "healthCheckNodePort", "ipFamilyPolicy", "loadBalancerClass", "loadBalancerIP",
               "loadBalancerSourceRanges", "sessionAffinity", "sessionAffinityConfig"});
  spec.finish();
}

void check_service(const Fields& fields, const ServiceObject& service) {
  const std::string& distribution = service.traffic_distribution;
  const bool known_distribution = distribution.empty() || distribution == "PreferClose" ||
                                  distribution == "PreferSameZone" ||
                                  distribution == "PreferSameNode";
  if (!known_distribution) {
    fields.warn(
        "spec.trafficDistribution",
        fmt::format("\"{}\" is not known and ignored: write PreferSameZone or PreferSameNode",
                    distribution.substr(0, 60)));
  }
  const std::string& policy = service.internal_traffic_policy;
  if (policy != "Cluster" && policy != "Local") {
    fields.error("spec.internalTrafficPolicy",
                 fmt::format("\"{}\" is not known: write Cluster or Local", policy.substr(0, 60)));
  }
  if (service.type == "ExternalName" && service.external_name.empty())
    fields.error("spec.externalName", "missing: write the host name that this service stands for");
  const bool unreachable =
      service.addresses.empty() && !service.headless && service.type != "ExternalName";
  if (unreachable) {
    fields.warn("spec.clusterIP",
                "missing: nothing can be sent to this service; write its address, or None");
  }
}

void read_slice_endpoint(Fields& fields, std::string_view slice_ns, EndpointSliceObject& slice) {
  SliceEndpoint endpoint;
  for (const TextItem& item : fields.texts("addresses")) {
    if (const auto address = read_address(fields, "addresses", item))
      endpoint.addresses.push_back(*address);
  }
  Fields conditions = fields.map("conditions");
  // Kubernetes: a missing condition is to be read as ready.
  endpoint.ready = conditions.boolean("ready").value_or(true);
  Fields target = fields.map("targetRef");
  if (target.text_or("kind", "") == "Pod") {
    endpoint.pod_name = target.text_or("name", "");
    endpoint.pod_ns = target.text_or("namespace", slice_ns);
  }
  endpoint.node = fields.text_or("nodeName", "");
  endpoint.zone = fields.text_or("zone", "");
  fields.ignore({"deprecatedTopology", "hints", "hostname"});
  fields.finish();
  if (!endpoint.addresses.empty()) slice.endpoints.push_back(std::move(endpoint));
}

}  // namespace

void read_service(Fields& fields, Metadata meta, FileObjects& out) {
  ServiceObject service;
  service.meta = std::move(meta);
  Fields spec = fields.map("spec");
  if (!spec.present()) fields.error("spec", "missing: write clusterIP, selector and ports there");
  read_service_spec(spec, service);
  read_load_balancer(fields, service);
  fields.finish();
  if (spec.present()) check_service(fields, service);
  out.services.push_back(std::move(service));
}

void read_endpoint_slice(Fields& fields, Metadata meta, FileObjects& out) {
  EndpointSliceObject slice;
  slice.meta = std::move(meta);
  if (const std::string* service = slice.meta.label("kubernetes.io/service-name"))
    slice.service = *service;
  if (slice.service.empty()) {
    fields.warn("metadata.labels",
                "kubernetes.io/service-name: missing: the slice serves nobody; write its service");
  }
  const std::string type = fields.text_or("addressType", "IPv4");
  // Names are for resolvers, not for a data plane.
  if (type == "FQDN") {
    fields.warn("addressType", "FQDN is not read: write addresses");
    return;
  }
  fields.each("endpoints",
              [&](Fields& endpoint) { read_slice_endpoint(endpoint, slice.meta.ns, slice); });
  fields.each("ports", [&](Fields& port) {
    const std::string protocol = port.text_or("protocol", "TCP");
    SlicePort entry{port.text_or("name", ""), port.port("port")};
    if (protocol == "TCP") slice.ports.push_back(std::move(entry));
    port.ignore({"appProtocol"});
    port.finish();
  });
  fields.finish();
  out.slices.push_back(std::move(slice));
}

}  // namespace aquifer::manifests
