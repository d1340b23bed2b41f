// ServiceEntry -> ServiceEntryObject.
#include "config/manifests/read_entry_spec.h"
#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace aquifer::manifests {
namespace {

constexpr const char* kWildcard = "*.";

bool is_wildcard(std::string_view host) {
  return host.starts_with('*');
}

void read_hosts(Fields& spec, ServiceEntryObject& entry) {
  for (const TextItem& item : spec.texts("hosts")) {
    std::string_view name = item.text;
    if (name.starts_with(kWildcard)) name.remove_prefix(2);
    if (!is_host_name(name)) {
      spec.error_at(item.line, "hosts",
                    fmt::format("\"{}\" is no host name: write one such as api.example.com, or "
                                "*.example.com",
                                item.text.substr(0, 60)));
      continue;
    }
    std::string host = lower_case(item.text);
    const bool repeated = std::ranges::find(entry.hosts, host) != entry.hosts.end();
    if (repeated) {
      spec.error_at(item.line, "hosts", fmt::format("\"{}\" stands here twice: keep one", host));
      continue;
    }
    entry.hosts.push_back(std::move(host));
  }
}

void read_addresses(Fields& spec, ServiceEntryObject& entry) {
  for (const TextItem& item : spec.texts("addresses")) {
    const auto cidr = Cidr::parse(item.text);
    if (!cidr) {
      spec.error_at(item.line, "addresses",
                    fmt::format("\"{}\" is neither an IP address nor a range: write one such as "
                                "240.1.0.1 or 10.1.0.0/16",
                                item.text.substr(0, 60)));
      continue;
    }
    if (std::ranges::find(entry.addresses, *cidr) == entry.addresses.end())
      entry.addresses.push_back(*cidr);
  }
}

void read_port(Fields& fields, ServiceEntryObject& entry) {
  ServiceEntryPort port;
  const bool given = fields.has("number");
  const auto number = fields.port("number");
  port.name = fields.text_or("name", "");
  port.protocol = fields.text_or("protocol", "TCP");
  const auto target = fields.port("targetPort");
  fields.finish();
  if (!given) fields.error("number", "missing: write the port that clients use");
  if (!number) return;
  port.number = *number;
  port.target = target.value_or(*number);
  if (port.protocol == "UDP") {
    return fields.warn("protocol", "UDP is not carried: only TCP ports have an effect");
  }
  const bool repeated =
      std::ranges::find(entry.ports, *number, &ServiceEntryPort::number) != entry.ports.end();
  if (repeated)
    return fields.error("number", fmt::format("{} stands here twice: keep one", *number));
  entry.ports.push_back(std::move(port));
}

std::optional<Resolution> parse_resolution(std::string_view text) {
  if (text == "NONE") return Resolution::none;
  if (text == "STATIC") return Resolution::static_;
  if (text == "DNS" || text == "DNS_ROUND_ROBIN") return Resolution::dns;
  if (text == "DYNAMIC_DNS") return Resolution::dynamic_dns;
  return std::nullopt;
}

void read_resolution(Fields& spec, ServiceEntryObject& entry) {
  const std::string text = spec.text_or("resolution", "NONE");
  const auto resolution = parse_resolution(text);
  if (!resolution) {
    return spec.error("resolution",
                      fmt::format("\"{}\" is not known: write NONE, STATIC, DNS or DNS_ROUND_ROBIN",
                                  text.substr(0, 60)));
  }
  entry.resolution = *resolution;
  if (*resolution == Resolution::dynamic_dns) {
    spec.warn("resolution",
              "DYNAMIC_DNS needs a waypoint that resolves the client's host name: without one, "
              "connections go to the address that the client chose");
  }
}

void read_location(Fields& spec) {
  const std::string text = spec.text_or("location", "MESH_EXTERNAL");
  if (text == "MESH_EXTERNAL" || text == "MESH_INTERNAL") return;
  spec.error("location", fmt::format("\"{}\" is not known: write MESH_EXTERNAL or MESH_INTERNAL",
                                     text.substr(0, 60)));
}

void read_endpoints(Fields& spec, ServiceEntryObject& entry) {
  spec.each("endpoints", [&](Fields& endpoint) {
    auto read = read_entry_spec(endpoint);
    endpoint.finish();
    if (!read) return;
    for (const auto& [name, number] : read->ports) {
      const bool known =
          std::ranges::find(entry.ports, name, &ServiceEntryPort::name) != entry.ports.end();
      if (!known) {
        endpoint.warn("ports", fmt::format("\"{}\" is no port of this ServiceEntry: write the name "
                                           "of one",
                                           name.substr(0, 60)));
      }
    }
    entry.endpoints.push_back(std::move(*read));
  });
}

// What the fields mean together.
void check_entry(const Fields& spec, const ServiceEntryObject& entry) {
  if (entry.hosts.empty() && !spec.has("hosts"))
    spec.error("hosts", "missing: write the host names that this entry is about");
  if (entry.ports.empty() && !spec.has("ports"))
    spec.error("ports", "missing: write the ports that clients use");
  if (!entry.endpoints.empty() && !entry.selector.empty()) {
    spec.error("workloadSelector", "stands beside endpoints: keep one of them");
  }
  const bool serves_by_itself = !entry.endpoints.empty() || !entry.selector.empty();
  switch (entry.resolution) {
    case Resolution::none:
    case Resolution::dynamic_dns:
      if (!entry.endpoints.empty())
        spec.error("resolution",
                   "NONE sends connections to the address that the client chose: write STATIC, or "
                   "take the endpoints out");
      break;
    case Resolution::static_:
      for (const EntrySpec& endpoint : entry.endpoints) {
        if (endpoint.address) continue;
        spec.error_at(endpoint.line, "endpoints",
                      fmt::format("\"{}\" is no IP address: write one, or resolution: DNS",
                                  endpoint.hostname.substr(0, 60)));
      }
      if (!serves_by_itself && !spec.has("endpoints")) {
        spec.warn("endpoints",
                  "missing: connections to this entry are REFUSED; write where it is served, or "
                  "resolution: DNS");
      }
      break;
    case Resolution::dns:
      if (serves_by_itself) break;
      for (const std::string& host : entry.hosts) {
        if (!is_wildcard(host)) continue;
        spec.error("hosts", fmt::format("\"{}\" cannot be resolved: write host names without '*', "
                                        "or endpoints",
                                        host));
      }
      break;
  }
}

void read_assigned(Fields& object, ServiceEntryObject& entry) {
  Fields status = object.map("status");
  status.each("addresses", [&](Fields& fields) {
    const std::string host = fields.text_or("host", "");
    const auto value = fields.text("value");
    if (!value) return;
    if (const auto address = read_address(fields, "value", {*value, fields.line()}))
      entry.assigned.push_back({lower_case(host), *address});
  });
}

}  // namespace

void read_service_entry(Fields& fields, Metadata meta, FileObjects& out) {
  ServiceEntryObject entry;
  entry.meta = std::move(meta);
  Fields spec = fields.map("spec");
  if (!spec.present()) fields.error("spec", "missing: write hosts, ports and resolution there");
  read_hosts(spec, entry);
  read_addresses(spec, entry);
  spec.each("ports", [&](Fields& port) { read_port(port, entry); });
  read_location(spec);
  read_resolution(spec, entry);
  read_endpoints(spec, entry);
  Fields selector = spec.map("workloadSelector");
  entry.selector = selector.text_map("labels");
  if (selector.present() && entry.selector.empty())
    selector.error("labels", "missing: write the labels of the workloads that serve this entry");
  selector.finish();
  for (TextItem& item : spec.texts("subjectAltNames"))
    entry.subject_alt_names.push_back(std::move(item.text));
  for (TextItem& item : spec.texts("exportTo")) entry.export_to.push_back(std::move(item.text));
  spec.finish();
  read_assigned(fields, entry);
  fields.finish();
  if (spec.present()) check_entry(spec, entry);
  out.service_entries.push_back(std::move(entry));
}

}  // namespace aquifer::manifests
