// NetworkPolicies against a second evaluator that reads the manifests' own words: no groups, no
// numbers, no index. Thousands of random meshes; the same verdict for every pair of pods and port.
#include "config/model/network_policy.h"
#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace aquifer::manifests {
namespace {

using namespace test;
using Labels = std::map<std::string, std::string>;

struct Requirement {
  std::string key;
  std::string op;
  std::vector<std::string> values;
};
struct Selector {
  Labels equal;
  std::vector<Requirement> requirements;
};
struct Peer {
  std::optional<Selector> namespaces;
  std::optional<Selector> pods;
  std::string cidr;
  std::vector<std::string> except;
};
struct Port {
  std::string port;
  int end = 0;
  std::string protocol = "TCP";
};
struct Rule {
  std::vector<Peer> peers;
  std::vector<Port> ports;
};
struct Policy {
  std::string ns;
  Selector pods;
  std::vector<std::string> types;
  std::optional<std::vector<Rule>> ingress;
  std::optional<std::vector<Rule>> egress;
};
struct Pod {
  std::string ns;
  std::string name;
  std::string ip;
  Labels labels;
  std::map<std::string, int> ports;
};
struct World {
  std::map<std::string, Labels> namespaces;
  std::vector<Pod> pods;
  std::vector<Policy> policies;
};

// --- the naive evaluator -------------------------------------------------------------------------

bool selects(const Selector& selector, const Labels& labels) {
  for (const auto& [key, value] : selector.equal) {
    if (!labels.contains(key) || labels.at(key) != value) return false;
  }
  for (const Requirement& wanted : selector.requirements) {
    const bool has = labels.contains(wanted.key);
    const bool listed =
        has && std::ranges::find(wanted.values, labels.at(wanted.key)) != wanted.values.end();
    if (wanted.op == "Exists" && !has) return false;
    if (wanted.op == "DoesNotExist" && has) return false;
    if (wanted.op == "In" && !listed) return false;
    if (wanted.op == "NotIn" && listed) return false;
  }
  return true;
}

Labels labels_of_namespace(const World& world, const std::string& ns) {
  Labels labels = world.namespaces.contains(ns) ? world.namespaces.at(ns) : Labels();
  labels["kubernetes.io/metadata.name"] = ns;
  return labels;
}

bool peer_matches(const World& world, const Policy& policy, const Peer& peer, const Pod* other,
                  const std::string& address) {
  if (!peer.cidr.empty()) {
    if (other != nullptr) return false;
    const IpAddress ip = IpAddress::parse(address).value();
    if (!Cidr::parse(peer.cidr)->contains(ip)) return false;
    return std::ranges::none_of(
        peer.except, [&](const std::string& cidr) { return Cidr::parse(cidr)->contains(ip); });
  }
  if (other == nullptr) return false;
  if (peer.namespaces && !selects(*peer.namespaces, labels_of_namespace(world, other->ns)))
    return false;
  if (!peer.namespaces && other->ns != policy.ns) return false;
  return !peer.pods || selects(*peer.pods, other->labels);
}

bool port_matches(const Port& port, const Pod* destination, int number) {
  if (port.protocol != "TCP") return false;
  if (port.port.empty()) return true;
  if (port.port[0] >= 'a') {
    return destination != nullptr && destination->ports.contains(port.port) &&
           destination->ports.at(port.port) == number;
  }
  const int first = std::stoi(port.port);
  return number >= first && number <= (port.end != 0 ? port.end : first);
}

bool naive(const World& world, bool ingress, const Pod& local, const Pod* other,
           const std::string& address, int number) {
  if (other == &local) return true;
  bool isolated = false;
  for (const Policy& policy : world.policies) {
    if (policy.ns != local.ns || !selects(policy.pods, local.labels)) continue;
    const auto& rules = ingress ? policy.ingress : policy.egress;
    const bool named =
        std::ranges::find(policy.types, ingress ? "Ingress" : "Egress") != policy.types.end();
    const bool about = policy.types.empty() ? ingress || policy.egress.has_value() : named;
    if (!about) continue;
    isolated = true;
    for (const Rule& rule : rules.value_or(std::vector<Rule>())) {
      const bool peer = rule.peers.empty() || std::ranges::any_of(rule.peers, [&](const Peer& one) {
                          return peer_matches(world, policy, one, other, address);
                        });
      const bool port = rule.ports.empty() || std::ranges::any_of(rule.ports, [&](const Port& one) {
                          return port_matches(one, ingress ? &local : other, number);
                        });
      if (peer && port) return true;
    }
  }
  return !isolated;
}

// --- random meshes, and how they are written -----------------------------------------------------

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}
  int up_to(int most) { return std::uniform_int_distribution<int>(0, most)(random_); }
  bool one_in(int n) { return up_to(n - 1) == 0; }
  std::string of(const std::vector<std::string>& choices) {
    return choices[static_cast<std::size_t>(up_to(static_cast<int>(choices.size()) - 1))];
  }

 private:
  std::mt19937_64 random_;
};

const std::vector<std::string> kKeys = {"app", "tier"};
const std::vector<std::string> kValues = {"a", "b", "c"};
const std::vector<std::string> kNamespaces = {"n1", "n2", "n3"};

Labels random_labels(Chance& chance) {
  Labels labels;
  for (const std::string& key : kKeys) {
    if (!chance.one_in(3)) labels[key] = chance.of(kValues);
  }
  return labels;
}

Selector random_selector(Chance& chance, bool of_namespaces = false) {
  Selector selector;
  if (of_namespaces && chance.one_in(3)) {
    selector.equal["kubernetes.io/metadata.name"] = chance.of(kNamespaces);
  } else if (chance.one_in(2)) {
    selector.equal[chance.of(kKeys)] = chance.of(kValues);
  }
  for (int i = chance.up_to(2); i > 1; --i) {
    Requirement wanted{chance.of(kKeys), chance.of({"In", "NotIn", "Exists", "DoesNotExist"}), {}};
    if (wanted.op.contains("In")) {
      wanted.values = {chance.of(kValues)};
      if (chance.one_in(2)) wanted.values.push_back(chance.of(kValues));
    }
    selector.requirements.push_back(std::move(wanted));
  }
  return selector;
}

Peer random_peer(Chance& chance) {
  Peer peer;
  switch (chance.up_to(3)) {
    case 0: peer.pods = random_selector(chance); break;
    case 1: peer.namespaces = random_selector(chance, true); break;
    case 2:
      peer.pods = random_selector(chance);
      peer.namespaces = random_selector(chance, true);
      break;
    default:
      peer.cidr = chance.of({"0.0.0.0/0", "192.0.2.0/24", "10.0.0.0/8"});
      if (peer.cidr == "192.0.2.0/24" && chance.one_in(2)) peer.except = {"192.0.2.0/30"};
      break;
  }
  return peer;
}

Port random_port(Chance& chance) {
  Port port;
  port.port = chance.of({"", "80", "81", "100", "http", "admin"});
  if (port.port == "80" && chance.one_in(2)) port.end = 90;
  if (chance.one_in(6)) port.protocol = "UDP";
  return port;
}

std::vector<Rule> random_rules(Chance& chance) {
  std::vector<Rule> rules(static_cast<std::size_t>(chance.up_to(2)));
  for (Rule& rule : rules) {
    for (int i = chance.up_to(2); i > 0; --i) rule.peers.push_back(random_peer(chance));
    for (int i = chance.up_to(2); i > 0; --i) rule.ports.push_back(random_port(chance));
  }
  return rules;
}

World random_world(Chance& chance) {
  World world;
  for (const std::string& ns : {kNamespaces[0], kNamespaces[1]}) {
    world.namespaces[ns] = random_labels(chance);
  }
  for (int i = 0; i < 5; ++i) {
    Pod pod{chance.of(kNamespaces),
            fmt::format("p{}", i),
            fmt::format("10.0.0.{}", i + 1),
            random_labels(chance),
            {}};
    if (chance.one_in(2)) pod.ports["http"] = chance.one_in(2) ? 80 : 81;
    if (chance.one_in(3)) pod.ports["admin"] = 81;
    world.pods.push_back(std::move(pod));
  }
  for (int i = 1 + chance.up_to(3); i > 0; --i) {
    Policy policy{chance.of(kNamespaces), {}, {}, {}, {}};
    if (chance.one_in(2)) policy.pods = random_selector(chance);
    if (chance.one_in(3)) policy.types.emplace_back("Ingress");
    if (chance.one_in(3)) policy.types.emplace_back("Egress");
    if (!chance.one_in(3)) policy.ingress = random_rules(chance);
    if (!chance.one_in(3)) policy.egress = random_rules(chance);
    world.policies.push_back(std::move(policy));
  }
  return world;
}

std::string text_of(const Labels& labels) {
  std::string text = "{";
  for (const auto& [key, value] : labels) text += fmt::format("{}: {}, ", key, value);
  return text + "}";
}

std::string text_of(const Selector& selector) {
  std::string text = fmt::format("{{matchLabels: {}, matchExpressions: [", text_of(selector.equal));
  for (const Requirement& one : selector.requirements) {
    text += fmt::format("{{key: {}, operator: {}", one.key, one.op);
    if (!one.values.empty()) {
      text += ", values: [";
      for (const std::string& value : one.values) text += value + ", ";
      text += "]";
    }
    text += "}, ";
  }
  return text + "]}";
}

std::string text_of(const std::vector<Rule>& rules, std::string_view peers_field) {
  std::string text = "[";
  for (const Rule& rule : rules) {
    text += fmt::format("{{{}: [", peers_field);
    for (const Peer& peer : rule.peers) {
      text += "{";
      if (peer.namespaces)
        text += fmt::format("namespaceSelector: {}, ", text_of(*peer.namespaces));
      if (peer.pods) text += fmt::format("podSelector: {}, ", text_of(*peer.pods));
      if (!peer.cidr.empty()) {
        text += fmt::format("ipBlock: {{cidr: {}, except: [", peer.cidr);
        for (const std::string& except : peer.except) text += except + ", ";
        text += "]}";
      }
      text += "}, ";
    }
    text += "], ports: [";
    for (const Port& port : rule.ports) {
      text += fmt::format("{{protocol: {}, ", port.protocol);
      if (!port.port.empty()) text += fmt::format("port: {}, ", port.port);
      if (port.end != 0) text += fmt::format("endPort: {}, ", port.end);
      text += "}, ";
    }
    text += "]}, ";
  }
  return text + "]";
}

std::string yaml_of(const World& world) {
  std::string text;
  for (const auto& [ns, labels] : world.namespaces) text += ns_yaml(ns, text_of(labels));
  for (const Pod& pod : world.pods) {
    text += fmt::format(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {}, namespace: {}, labels: {}}}\n"
        "spec: {{nodeName: n, containers: [{{name: c, ports: [",
        pod.name, pod.ns, text_of(pod.labels));
    for (const auto& [name, port] : pod.ports) {
      text += fmt::format("{{name: {}, containerPort: {}}}, ", name, port);
    }
    text += fmt::format("]}}]}}\nstatus: {{podIP: {}}}\n", pod.ip);
  }
  int count = 0;
  for (const Policy& policy : world.policies) {
    text += fmt::format(
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
        "metadata: {{name: p{}, namespace: {}}}\nspec:\n  podSelector: {}\n",
        count++, policy.ns, text_of(policy.pods));
    if (!policy.types.empty()) {
      text += fmt::format("  policyTypes: [{}]\n", fmt::join(policy.types, ", "));
    }
    if (policy.ingress) text += fmt::format("  ingress: {}\n", text_of(*policy.ingress, "from"));
    if (policy.egress) text += fmt::format("  egress: {}\n", text_of(*policy.egress, "to"));
  }
  return text;
}

bool ours(const model::Snapshot& snapshot, bool ingress, const Pod& local, const Pod* other,
          const std::string& address, int number) {
  const auto find = [&](const Pod& pod) { return snapshot.workload_by_name(pod.ns, pod.name); };
  const auto self = find(local);
  const auto peer = other != nullptr ? find(*other) : nullptr;
  model::NetworkRequest request;
  request.direction = ingress ? model::NetworkDirection::ingress : model::NetworkDirection::egress;
  request.local = self.get();
  request.peer = peer.get();
  request.peer_address.ip = IpAddress::parse(address).value();
  if (peer != nullptr) request.peer_kind = model::NetworkRequest::PeerKind::workload;
  request.port = static_cast<std::uint16_t>(number);
  return !model::judge_network_policy(*snapshot.books().network, request).denied();
}

TEST_CASE("random meshes: the compiled policies decide as the manifests say") {
  int denied = 0;
  int allowed = 0;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    Chance chance(seed);
    const World world = random_world(chance);
    const std::string yaml = yaml_of(world);
    const Loaded mesh = load_text(yaml);
    CAPTURE(seed);
    CAPTURE(yaml);
    REQUIRE_MESSAGE(!mesh.broken, mesh.text());
    const auto snapshot = mesh.snapshot();
    const auto check = [&](bool ingress, const Pod& local, const Pod* other,
                           const std::string& address, int port) {
      const bool expected = naive(world, ingress, local, other, address, port);
      const bool got = ours(*snapshot, ingress, local, other, address, port);
      (expected ? allowed : denied)++;
      if (got != expected) {
        CAPTURE(local.name);
        CAPTURE(address);
        CAPTURE(port);
        CAPTURE(ingress);
        REQUIRE(got == expected);
      }
    };
    for (const bool ingress : {true, false}) {
      for (const Pod& local : world.pods) {
        for (const int port : {80, 81, 85, 100}) {
          for (const Pod& other : world.pods) check(ingress, local, &other, other.ip, port);
          for (const char* stranger : {"192.0.2.1", "192.0.2.9", "10.9.9.9"}) {
            check(ingress, local, nullptr, stranger, port);
          }
        }
      }
    }
  }
  // Neither answer is rare, or the worlds would be poor.
  CHECK(denied > 20'000);
  CHECK(allowed > 20'000);
}

}  // namespace
}  // namespace aquifer::manifests
