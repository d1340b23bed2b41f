// NetworkPolicy (networking.k8s.io/v1) -> NetworkPolicyObject. As the API server does, it refuses
// fields of the spec that are not known: left out, they would let in whom nobody meant.
#include "config/manifests/lint/words.h"
#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace aquifer::manifests {
namespace {

using model::AddressBlock;
using model::NetworkPort;

// As the API server takes it: with a prefix length.
std::optional<Cidr> read_cidr(Fields& fields, std::string_view name, const TextItem& item) {
  const auto cidr = Cidr::parse(item.text);
  if (cidr && item.text.contains('/')) return *cidr;
  fields.error_at(item.line, name,
                  fmt::format("{} is no network: write one such as 10.0.0.0/8, 192.0.2.1/32 or "
                              "fd00::/8",
                              in_quotes(item.text)));
  return std::nullopt;
}

bool is_within(const Cidr& inner, const Cidr& outer) {
  return inner.address().is_v4() == outer.address().is_v4() &&
         inner.prefix_bits() > outer.prefix_bits() && outer.contains(inner.address());
}

std::optional<AddressBlock> read_block(Fields& fields) {
  AddressBlock block;
  const auto text = fields.text("cidr");
  if (!text) fields.error("cidr", "missing: write a network such as 10.0.0.0/8");
  const auto cidr = text ? read_cidr(fields, "cidr", {*text, fields.line()}) : std::nullopt;
  for (const TextItem& item : fields.texts("except")) {
    const auto except = read_cidr(fields, "except", item);
    if (!except || !cidr) continue;
    if (!is_within(*except, *cidr)) {
      fields.error_at(item.line, "except",
                      fmt::format("{} is not inside {}: write a part of it, or remove it",
                                  except->to_string(), cidr->to_string()));
    }
    block.except.push_back(*except);
  }
  std::ignore = fields.finish_strictly();
  if (!cidr) return std::nullopt;
  block.block = *cidr;
  return block;
}

std::optional<LabelSelector> read_optional_selector(Fields& peer, std::string_view name) {
  Fields fields = peer.map(name);
  if (!fields.present()) return std::nullopt;
  LabelSelector selector = read_label_selector(fields);
  std::ignore = fields.finish_strictly();
  return selector;
}

NetworkPeerObject read_peer(Fields& fields) {
  NetworkPeerObject peer;
  if (!fields.present()) {
    fields.error("",
                 "is empty: write podSelector, namespaceSelector or ipBlock, or remove the dash");
    return peer;
  }
  peer.namespaces = read_optional_selector(fields, "namespaceSelector");
  peer.pods = read_optional_selector(fields, "podSelector");
  const bool selects = peer.namespaces || peer.pods;
  const bool has_block = fields.has("ipBlock");
  Fields block = fields.map("ipBlock");
  if (block.present()) peer.block = read_block(block);
  const bool bad = fields.finish_strictly();
  if (selects && has_block) {
    fields.error("ipBlock", "stands beside a selector: write it as an entry of its own");
  } else if (!selects && !has_block && !bad) {
    fields.error("", "empty: write podSelector, namespaceSelector or ipBlock");
  }
  return peer;
}

bool is_port_name(std::string_view text) {
  return text.size() <= 15 &&
         std::ranges::any_of(text, [](char c) { return c >= 'a' && c <= 'z'; }) &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

// A number or a name, in one field.
std::optional<NetworkPort> read_port_field(Fields& fields) {
  NetworkPort port{1, 65535, ""};
  const auto text = fields.text("port");
  if (!text) return fields.has("port") ? std::nullopt : std::optional(port);
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc() && end == text->data() + text->size() && number > 0) {
    return NetworkPort{number, number, ""};
  }
  if (is_port_name(*text)) return NetworkPort{0, 0, *text};
  fields.error("port",
               fmt::format("{} is no port: write a number from 1 to 65535, or the name of a "
                           "container's port",
                           in_quotes(*text)));
  return std::nullopt;
}

// None: the entry is wrong, or can never match TCP.
std::optional<NetworkPort> read_port(Fields& fields) {
  if (!fields.present()) {
    fields.error("", "is empty: write port: NUMBER, or {} for every TCP port, or remove the dash");
    return std::nullopt;
  }
  auto port = read_port_field(fields);
  const auto end_port = fields.port("endPort");
  const std::string protocol = fields.text_or("protocol", "TCP");
  std::ignore = fields.finish_strictly();
  if (port && end_port) {
    if (!port->name.empty() || !fields.has("port")) {
      fields.error("endPort", "needs a numeric port beside it: write where the range begins");
    } else if (*end_port < port->first) {
      fields.error("endPort", fmt::format("{} is below port {}: write the last port of the range",
                                          *end_port, port->first));
    } else {
      port->last = *end_port;
    }
  }
  if (protocol == "UDP" || protocol == "SCTP") {
    fields.warn(
        "protocol",
        fmt::format("{} is not enforced by this proxy, which sees TCP only: leave it to the "
                    "network plugin",
                    protocol));
    return std::nullopt;
  }
  if (protocol != "TCP") {
    fields.error("protocol",
                 fmt::format("{} is none: write TCP, UDP or SCTP", in_quotes(protocol)));
  }
  return port;
}

NetworkRuleObject read_rule(Fields& fields, std::string_view peers_field) {
  NetworkRuleObject rule;
  if (!fields.present()) {
    fields.error("", "is empty: write {} for a rule that matches all, or remove the dash");
    return rule;
  }
  // Kubernetes takes an empty list as one that is not there.
  std::size_t peers = 0;
  std::vector<NetworkPeerObject> read_peers;
  fields.each(peers_field, [&](Fields& item) {
    ++peers;
    read_peers.push_back(read_peer(item));
  });
  if (peers > 0) rule.peers = std::move(read_peers);
  std::size_t ports = 0;
  std::vector<NetworkPort> read_ports;
  fields.each("ports", [&](Fields& item) {
    ++ports;
    if (auto port = read_port(item)) read_ports.push_back(std::move(*port));
  });
  if (ports > 0) rule.ports = std::move(read_ports);
  std::ignore = fields.finish_strictly();
  return rule;
}

std::vector<NetworkRuleObject> read_rules(Fields& spec, std::string_view direction,
                                          std::string_view peers_field) {
  std::vector<NetworkRuleObject> rules;
  spec.each(direction, [&](Fields& item) { rules.push_back(read_rule(item, peers_field)); });
  return rules;
}

void read_spec(Fields& spec, NetworkPolicyObject& policy) {
  Fields selector = spec.map("podSelector");
  policy.pods = read_label_selector(selector);
  std::ignore = selector.finish_strictly();
  const bool has_egress = spec.has("egress");
  auto ingress = read_rules(spec, "ingress", "from");
  auto egress = read_rules(spec, "egress", "to");
  const std::vector<TextItem> types = spec.texts("policyTypes");
  // Without a list: ingress always, egress where there is a word about it.
  bool about_ingress = types.empty();
  bool about_egress = types.empty() && has_egress;
  for (const TextItem& type : types) {
    if (type.text == "Ingress") {
      about_ingress = true;
    } else if (type.text == "Egress") {
      about_egress = true;
    } else {
      spec.error_at(type.line, "policyTypes",
                    fmt::format("{} is none: write Ingress or Egress", in_quotes(type.text)));
    }
  }
  if (!about_ingress && !ingress.empty()) {
    spec.warn("ingress", "has no effect: policyTypes does not say Ingress; add it there");
  }
  if (!about_egress && !egress.empty()) {
    spec.warn("egress", "has no effect: policyTypes does not say Egress; add it there");
  }
  if (about_ingress) policy.ingress = std::move(ingress);
  if (about_egress) policy.egress = std::move(egress);
  std::ignore = spec.finish_strictly();
}

}  // namespace

void read_network_policy(Fields& fields, Metadata meta, FileObjects& out) {
  NetworkPolicyObject policy;
  Fields spec = fields.map("spec");
  if (!spec.present()) fields.error("spec", "missing: write at least podSelector: {} there");
  read_spec(spec, policy);
  fields.ignore({"status"});
  fields.finish();
  policy.meta = std::move(meta);
  out.network_policies.push_back(std::move(policy));
}

}  // namespace aquifer::manifests
