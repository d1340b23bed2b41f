// EgressPolicy -> EgressPolicyObject. The kind is our own, so nothing in it is let pass that is not
// understood: a misspelt field of a policy is a hole.
#include "config/manifests/lint/words.h"
#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

namespace aquifer::manifests {
namespace {

using model::Choice;
using model::EgressAction;
using model::HostPattern;
using model::PortRange;
using model::ServicePattern;

std::optional<EgressAction> read_action(Fields& fields, std::string_view name) {
  const auto text = fields.text(name);
  if (!text) return std::nullopt;
  if (*text == "ALLOW") return EgressAction::allow;
  if (*text == "DENY") return EgressAction::deny;
  fields.error(name, fmt::format("{} is neither: write ALLOW or DENY", in_quotes(*text)));
  return std::nullopt;
}

std::optional<HostPattern> parse_value(const std::string& text, HostPattern*) {
  return HostPattern::parse(text);
}

std::optional<ServicePattern> parse_value(const std::string& text, ServicePattern*) {
  ServicePattern pattern;
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) {
    auto host = HostPattern::parse(text);
    // A lone word is a name without its namespace: nobody's host.
    if (!host || (text != "*" && !text.contains('.'))) return std::nullopt;
    pattern.host = std::move(*host);
    return pattern;
  }
  pattern.ns = text.substr(0, slash);
  pattern.name = text.substr(slash + 1);
  const auto is_plain = [](const std::string& part) {
    return HostPattern::parse(part).has_value() && !part.contains('*');
  };
  if (!is_plain(pattern.ns) || (pattern.name != "*" && !is_plain(pattern.name))) {
    return std::nullopt;
  }
  return pattern;
}

std::optional<Cidr> parse_value(const std::string& text, Cidr*) {
  const auto cidr = Cidr::parse(text);
  if (!cidr) return std::nullopt;
  return *cidr;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<PortRange> parse_value(const std::string& text, PortRange*) {
  const std::size_t dash = text.find('-');
  const auto first = parse_port(std::string_view(text).substr(0, dash));
  const auto last =
      dash == std::string::npos ? first : parse_port(std::string_view(text).substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return PortRange{*first, *last};
}

template <typename Value>
std::vector<Value> read_list(Fields& fields, std::string_view name, std::string_view write) {
  std::vector<Value> values;
  const bool given = fields.has(name);
  const std::vector<TextItem> items = fields.texts(name);
  for (const TextItem& item : items) {
    if (auto value = parse_value(item.text, static_cast<Value*>(nullptr))) {
      values.push_back(std::move(*value));
    } else {
      fields.error_at(item.line, name,
                      fmt::format("{} is none: write {}", in_quotes(item.text), write));
    }
  }
  if (given && items.empty()) {
    fields.error(name, "empty: write at least one, or leave the field out");
  }
  return values;
}

template <typename Value>
Choice<Value> read_choice(Fields& fields, std::string_view name, std::string_view negation,
                          std::string_view write) {
  Choice<Value> choice;
  choice.any_of = read_list<Value>(fields, name, write);
  choice.none_of = read_list<Value>(fields, negation, write);
  return choice;
}

model::EgressTarget read_target(Fields& fields) {
  if (!fields.present()) {
    fields.error("", "is empty: write a destination, or remove the dash");
    return {};
  }
  constexpr std::string_view kHost = "a host name such as api.example.com, *.example.com or *";
  model::EgressTarget target;
  target.services = read_choice<ServicePattern>(
      fields, "services", "notServices",
      "NAMESPACE/NAME, NAMESPACE/*, or a host name such as db.shop.svc.cluster.local or "
      "*.shop.svc.cluster.local");
  target.hosts = read_choice<HostPattern>(fields, "hosts", "notHosts", kHost);
  target.server_names = read_choice<HostPattern>(fields, "serverNames", "notServerNames", kHost);
  target.cidrs =
      read_choice<Cidr>(fields, "cidrs", "notCidrs", "a network such as 10.0.0.0/8 or fd00::/8");
  target.ports =
      read_choice<PortRange>(fields, "ports", "notPorts", "a port such as 443 or 8000-8099");
  const bool empty = target.services.empty() && target.hosts.empty() &&
                     target.server_names.empty() && target.cidrs.empty() && target.ports.empty();
  if (!fields.finish_strictly() && empty) {
    fields.error("", "matches every destination: leave `to` out to say that");
  }
  if (!target.server_names.empty() && target.ports.empty()) {
    fields.warn("",
                "serverNames without ports: every connection that this may match waits up to a "
                "second for a TLS ClientHello; write the TLS ports, such as ports: [443]");
  }
  return target;
}

model::EgressRule read_rule(Fields& fields) {
  model::EgressRule rule;
  if (!fields.present()) {
    fields.error("", "is empty: write {} for a rule that matches all, or remove the dash");
    return rule;
  }
  rule.action = read_action(fields, "action").value_or(EgressAction::allow);
  const bool given = fields.has("to");
  fields.each("to", [&](Fields& item) { rule.to.push_back(read_target(item)); });
  if (given && rule.to.empty()) {
    fields.error("to", "empty: write destinations, or leave `to` out to match every destination");
  }
  std::ignore = fields.finish_strictly();
  return rule;
}

void read_spec(Fields& spec, EgressPolicyObject& object) {
  model::EgressPolicy& policy = object.policy;
  Fields selector = spec.map("selector");
  object.selector = selector.text_map("matchLabels");
  std::ignore = selector.finish_strictly();
  bool allows = false;
  spec.each("rules", [&](Fields& item) {
    policy.rules.push_back(read_rule(item));
    allows = allows || policy.rules.back().action == EgressAction::allow;
  });
  const bool has_default = spec.has("default");
  policy.fallback = read_action(spec, "default").value_or(EgressAction::allow);
  if (spec.boolean("dryRun").value_or(false)) policy.enforcement = model::Enforcement::dry_run;
  std::ignore = spec.finish_strictly();
  if (has_default || !spec.present()) return;
  if (allows) {
    spec.error("default",
               "missing, and there are ALLOW rules: write DENY to deny what no ALLOW rule matches, "
               "or ALLOW if another policy does that");
  } else if (policy.rules.empty()) {
    spec.error("default",
               "missing, and there are no rules: write DENY to deny everything, or rules");
  }
}

}  // namespace

void read_egress_policy(Fields& fields, Metadata meta, FileObjects& out) {
  EgressPolicyObject object;
  Fields spec = fields.map("spec");
  if (!spec.present()) {
    fields.error("spec", "missing: write rules, or default: DENY, there");
  }
  read_spec(spec, object);
  fields.ignore({"status"});
  std::ignore = fields.finish_strictly();
  object.policy.ns = meta.ns;
  object.policy.name = meta.name;
  if (const std::string* dry_run = meta.annotation("istio.io/dry-run"); dry_run != nullptr) {
    if (*dry_run == "true") {
      object.policy.enforcement = model::Enforcement::dry_run;
    } else if (*dry_run != "false") {
      fields.error("metadata.annotations",
                   fmt::format("istio.io/dry-run: {} is neither: write \"true\" or \"false\"",
                               in_quotes(*dry_run)));
    }
  }
  object.meta = std::move(meta);
  out.egress_policies.push_back(std::move(object));
}

}  // namespace aquifer::manifests
