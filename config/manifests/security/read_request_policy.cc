#include "config/manifests/security/read_request_policy.h"

#include "config/manifests/security/request_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace aquifer::manifests {
namespace {

using l7::Expression;

// One of `from` or `to`, or what all of `when` add to each of them.
class Part {
 public:
  void add(Conditions wanted, Conditions unwanted) {
    if (wanted.size() == 1) {
      all_.parts.push_back(std::move(wanted.front()));
    } else if (!wanted.empty()) {
      all_.parts.push_back({l7::AnyOf{std::move(wanted)}});
    }
    if (!unwanted.empty()) all_.parts.push_back({l7::NoneOf{std::move(unwanted)}});
  }
  // Reads the list of this name, and the one that says what must not be.
  template <typename Read>
  void add(std::string_view wanted, std::string_view unwanted, Read&& read) {
    Conditions values = read(wanted);
    add(std::move(values), read(unwanted));
  }
  [[nodiscard]] bool empty() const noexcept { return all_.parts.empty(); }
  [[nodiscard]] Expression with(const Part& more) const {
    l7::AllOf all = all_;
    all.parts.insert(all.parts.end(), more.all_.parts.begin(), more.all_.parts.end());
    if (all.parts.empty()) return {l7::Always{}};
    if (all.parts.size() == 1) return std::move(all.parts.front());
    return {std::move(all)};
  }

 private:
  l7::AllOf all_;
};

Part read_source(Fields& source, const std::string& ns) {
  Part part;
  part.add("principals", "notPrincipals",
           [&](std::string_view name) { return read_principals(source, name); });
  part.add("requestPrincipals", "notRequestPrincipals",
           [&](std::string_view name) { return read_request_principals(source, name); });
  part.add("namespaces", "notNamespaces",
           [&](std::string_view name) { return read_namespaces(source, name); });
  part.add("serviceAccounts", "notServiceAccounts",
           [&](std::string_view name) { return read_accounts(source, name, ns); });
  part.add("remoteIpBlocks", "notRemoteIpBlocks",
           [&](std::string_view name) { return read_networks<l7::RemoteIn>(source, name); });
  part.add("ipBlocks", "notIpBlocks",
           [&](std::string_view name) { return read_networks<l7::SourceIn>(source, name); });
  return part;
}

Part read_operation(Fields& operation) {
  Part part;
  part.add("hosts", "notHosts", [&](std::string_view name) { return read_hosts(operation, name); });
  part.add("methods", "notMethods",
           [&](std::string_view name) { return read_header_values(operation, name, ":method"); });
  part.add("paths", "notPaths", [&](std::string_view name) { return read_paths(operation, name); });
  part.add("ports", "notPorts", [&](std::string_view name) { return read_ports(operation, name); });
  return part;
}

// "[a][b]" -> a, b. None: it is not of that form.
std::optional<std::vector<std::string>> bracketed(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t end = text.find(']');
    if (!text.starts_with('[') || end == std::string_view::npos || end == 1) return std::nullopt;
    names.emplace_back(text.substr(1, end - 1));
    text.remove_prefix(end + 1);
  }
  if (names.empty()) return std::nullopt;
  return names;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

constexpr std::string_view kHeaders = "request.headers";
constexpr std::string_view kClaims = "request.auth.claims";

// What `when` adds to all operations and to all sources of a rule.
struct Whens {
  Part operations;
  Part sources;
};

void read_condition(Fields& when, const std::string& ns, Whens& whens) {
  const std::string key = when.text_or("key", "");
  const auto add = [&](Part& part, auto&& read) { part.add("values", "notValues", read); };
  const auto give_up = [&](std::string text) {
    when.ignore({"values", "notValues"});
    when.error("key", std::move(text));
  };
  if (key == "destination.ip") {
    add(whens.operations, [&](auto name) { return read_networks<l7::DestinationIn>(when, name); });
  } else if (key == "destination.port") {
    add(whens.operations, [&](auto name) { return read_ports(when, name); });
  } else if (key == "connection.sni") {
    add(whens.operations, [&](auto name) { return read_server_names(when, name); });
  } else if (key == "source.ip") {
    add(whens.sources, [&](auto name) { return read_networks<l7::SourceIn>(when, name); });
  } else if (key == "remote.ip") {
    add(whens.sources, [&](auto name) { return read_networks<l7::RemoteIn>(when, name); });
  } else if (key == "source.namespace") {
    add(whens.sources, [&](auto name) { return read_namespaces(when, name); });
  } else if (key == "source.principal") {
    add(whens.sources, [&](auto name) { return read_principals(when, name); });
  } else if (key == "source.serviceAccount") {
    add(whens.sources, [&](auto name) { return read_accounts(when, name, ns); });
  } else if (key == "request.auth.principal") {
    add(whens.sources, [&](auto name) { return read_request_principals(when, name); });
  } else if (key == "request.auth.audiences") {
    add(whens.sources, [&](auto name) { return read_claims(when, name, {"aud"}); });
  } else if (key == "request.auth.presenter") {
    add(whens.sources, [&](auto name) { return read_claims(when, name, {"azp"}); });
  } else if (key.starts_with(kClaims)) {
    const auto path = bracketed(std::string_view(key).substr(kClaims.size()));
    if (!path) return give_up("names no claim: write request.auth.claims[NAME]");
    add(whens.sources, [&](auto name) { return read_claims(when, name, *path); });
  } else if (key.starts_with(kHeaders)) {
    const auto path = bracketed(std::string_view(key).substr(kHeaders.size()));
    if (!path || path->size() != 1) {
      return give_up("names no header field: write request.headers[NAME]");
    }
    const std::string header = lower(path->front());
    add(whens.sources, [&](auto name) { return read_header_values(when, name, header); });
  } else if (key.starts_with("experimental.")) {
    give_up(
        "experimental attributes are those of Envoy's own filters, which are not here: write "
        "the condition with another attribute");
  } else if (key.empty()) {
    give_up("missing: write an attribute such as request.headers[x-user] or source.ip");
  } else {
    give_up(
        fmt::format("\"{}\" is no attribute of Istio: write one such as request.headers[NAME], "
                    "request.auth.claims[NAME], source.ip or source.principal",
                    key.substr(0, 60)));
  }
}

l7::RequestRule read_rule(Fields& fields, std::size_t number, const std::string& ns) {
  Whens whens;
  fields.each("when", [&](Fields& when) {
    read_condition(when, ns, whens);
    if (!when.has("values") && !when.has("notValues")) {
      when.error("", "says nothing: write values: [...] or notValues: [...]");
    }
    std::ignore = when.finish_strictly();
  });
  l7::RequestRule rule{.number = number, .permissions = {}, .principals = {}};
  const auto alternatives = [&](std::string_view name, std::string_view inner, const Part& more,
                                std::vector<Expression>& out, std::string_view example,
                                auto&& read) {
    bool any = false;
    fields.each(name, [&](Fields& item) {
      any = true;
      Fields map = item.map(inner);
      if (!map.present()) {
        item.error(inner, "missing: write the conditions there");
      } else {
        const Part part = read(map);
        const bool bad = map.finish_strictly();
        if (part.empty() && !bad) {
          map.error("", fmt::format("says nothing: write {}, or leave it out", example));
        }
        out.push_back(part.with(more));
      }
      std::ignore = item.finish_strictly();
    });
    if (any) return;
    const YamlNode* list = fields.raw(name);
    if (list != nullptr && list->kind == YamlKind::sequence) {
      fields.error(name, "is an empty list: name at least one, or leave it out");
    }
    out.push_back(Part().with(more));
  };
  alternatives("from", "source", whens.sources, rule.principals, "principals: [...] for example",
               [&](Fields& source) { return read_source(source, ns); });
  alternatives("to", "operation", whens.operations, rule.permissions, "paths: [...] for example",
               [&](Fields& operation) { return read_operation(operation); });
  std::ignore = fields.finish_strictly();
  return rule;
}

void read_action(Fields& spec, l7::RequestPolicy& policy) {
  using enum l7::RequestAction;
  const std::string action = spec.text_or("action", "ALLOW");
  if (action == "DENY") {
    policy.action = deny;
  } else if (action == "AUDIT") {
    policy.action = audit;
  } else if (action == "CUSTOM") {
    policy.action = custom;
    spec.warn("action",
              "CUSTOM: external authorization is not supported by this version, so every request "
              "that the rules match is REFUSED");
    if (policy.dry_run()) {
      spec.warn("action", "a CUSTOM policy cannot be on trial: it is left out of the dry run");
    }
  } else if (action != "ALLOW") {
    spec.error("action", fmt::format("\"{}\" is no action: write ALLOW, DENY, AUDIT or CUSTOM",
                                     action.substr(0, 60)));
  }
  Fields provider = spec.map("provider");
  provider.ignore({"name"});
  std::ignore = provider.finish_strictly();
}

}  // namespace

void read_request_policy(Fields& spec, l7::RequestPolicy& policy) {
  read_action(spec, policy);
  std::size_t number = 0;
  spec.each("rules", [&](Fields& rule) {
    if (!rule.present()) {
      rule.error("", "is empty: write {} for a rule that matches all, or remove the dash");
    } else {
      policy.requests.push_back(read_rule(rule, number, policy.ns));
    }
    ++number;
  });
  for (const l7::RequestRule& rule : policy.requests) {
    if (auto left = l7::for_connections(rule, policy.action)) {
      policy.connections.push_back(std::move(*left));
    }
  }
}

}  // namespace aquifer::manifests
