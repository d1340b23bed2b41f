// NetworkPolicy manifests: what their fields mean to pods, and what is said of mistakes.
#include "config/model/network_policy.h"
#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

using namespace test;

std::string policy_yaml(std::string_view spec, std::string_view name = "p",
                        std::string_view ns = "default") {
  return fmt::format(
      "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
      "metadata: {{name: {}, namespace: {}}}\nspec: {}\n",
      name, ns, spec);
}

std::string pod_in(std::string_view ns, std::string_view name, std::string_view ip,
                   std::string_view labels, std::string_view spec = "nodeName: n") {
  return fmt::format(
      "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {}, namespace: {}, labels: {}}}\n"
      "spec: {{{}}}\nstatus: {{podIP: {}}}\n",
      name, ns, labels, spec, ip);
}

/// shop/web (app web), shop/db (app db, tier back), shop/bare; tools/scan (app web); a stranger.
std::string world() {
  return ns_yaml("shop", "{team: red, stage: prod}") + ns_yaml("tools", "{team: blue}") +
         pod_in("shop", "web", "10.0.0.1", "{app: web}") +
         pod_in("shop", "db", "10.0.0.2", "{app: db, tier: back}",
                "nodeName: n, containers: [{name: c, ports: [{name: sql, containerPort: 5432}]}]") +
         pod_in("shop", "bare", "10.0.0.3", "{}") +
         pod_in("tools", "scan", "10.0.1.1", "{app: web}");
}

/// May `from` ("shop/web", or an address) reach shop/db at `port`, by the policies of db alone?
bool reaches(const Loaded& mesh, std::string_view from, std::uint16_t port = 5432,
             std::string_view to = "db",
             model::NetworkDirection direction = model::NetworkDirection::ingress) {
  const auto snapshot = mesh.snapshot();
  const auto find = [&](std::string_view name) {
    const std::size_t slash = name.find('/');
    return snapshot->workload_by_name(name.substr(0, slash), name.substr(slash + 1));
  };
  const auto local = find(fmt::format("shop/{}", to));
  const auto peer = from.contains('/') ? find(from) : nullptr;
  model::NetworkRequest request;
  request.direction = direction;
  request.local = local.get();
  request.peer = peer.get();
  request.peer_address.ip =
      peer != nullptr ? peer->addresses.front() : IpAddress::parse(from).value();
  if (peer != nullptr) request.peer_kind = model::NetworkRequest::PeerKind::workload;
  request.port = port;
  return !model::judge_network_policy(*snapshot->books().network, request).denied();
}

std::string who(std::string_view spec) {
  const Loaded mesh = load_text(world() + policy_yaml(spec, "p", "shop"));
  CHECK(mesh.text() == "");
  std::string result;
  for (const std::string_view from :
       {"shop/web", "shop/bare", "tools/scan", "192.0.2.1", "10.0.0.1"}) {
    if (reaches(mesh, from)) result += fmt::format("{} ", from);
  }
  return result;
}

TEST_CASE("which peers an ingress policy of db lets in") {
  constexpr std::string_view kAll = "shop/web shop/bare tools/scan 192.0.2.1 10.0.0.1 ";
  struct Row {
    std::string_view spec;
    std::string_view who;
  };
  for (const Row& row : {
           Row{"{podSelector: {matchLabels: {app: web}}}", kAll},  // selects others
           Row{"{podSelector: {}}", ""},
           Row{"{}", ""},
           Row{"{podSelector: {}, ingress: []}", ""},
           Row{"{podSelector: {}, ingress: [{}]}", kAll},
           Row{"{podSelector: {}, ingress: [{from: []}]}", kAll},
           Row{"{podSelector: {}, policyTypes: [Egress]}", kAll},
           Row{"{podSelector: {}, policyTypes: [Ingress, Egress]}", ""},
           Row{"{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}", "shop/web shop/bare "},
           Row{"{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}",
               "shop/web "},
           Row{"{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}",
               "shop/web shop/bare tools/scan "},
           Row{"{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: "
               "blue}}}]}]}",
               "tools/scan "},
           Row{"{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: "
               "{kubernetes.io/metadata.name: tools}}}]}]}",
               "tools/scan "},
           // One entry is both; two entries are either.
           Row{"{podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: "
               "{matchLabels: {app: web}}}]}]}",
               "shop/web tools/scan "},
           Row{"{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: "
               "blue}}}, {podSelector: {matchLabels: {app: web}}}]}]}",
               "shop/web tools/scan "},
           Row{"{podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, "
               "operator: Exists}]}}]}]}",
               "shop/web "},
           Row{"{podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, "
               "operator: DoesNotExist}]}}]}]}",
               "shop/bare "},
           Row{"{podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, "
               "operator: In, values: [x, web]}]}}]}]}",
               "shop/web "},
           Row{"{podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, "
               "operator: NotIn, values: [x, web]}]}}]}]}",
               "shop/bare "},
           Row{"{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: "
               "stage, operator: NotIn, values: [prod]}]}}]}]}",
               "tools/scan "},
           Row{"{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}]}",
               "192.0.2.1 "},
           Row{"{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: "
               "[192.0.2.0/24]}}]}]}",
               "10.0.0.1 "},
           Row{"{podSelector: {}, ingress: [{ports: [{port: 5432}]}]}", kAll},
           Row{"{podSelector: {}, ingress: [{ports: [{port: sql}]}]}", kAll},
           Row{"{podSelector: {}, ingress: [{ports: [{port: 5000, endPort: 6000}]}]}", kAll},
           Row{"{podSelector: {}, ingress: [{ports: [{protocol: TCP}]}]}", kAll},
           Row{"{podSelector: {}, ingress: [{ports: [{port: 5433}]}]}", ""},
           Row{"{podSelector: {}, ingress: [{ports: [{port: http}]}]}", ""},
       }) {
    CAPTURE(row.spec);
    CHECK(who(row.spec) == row.who);
  }
}

TEST_CASE("egress is isolated by an egress list, or by policyTypes without one") {
  const auto egress_to_web = [](std::string_view spec, std::uint16_t port = 80) {
    const Loaded mesh = load_text(world() + policy_yaml(spec, "p", "shop"));
    CHECK(mesh.text() == "");
    return reaches(mesh, "shop/web", port, "db", model::NetworkDirection::egress);
  };
  CHECK(egress_to_web("{podSelector: {}}"));
  CHECK_FALSE(egress_to_web("{podSelector: {}, policyTypes: [Egress]}"));
  CHECK_FALSE(egress_to_web("{podSelector: {}, egress: []}"));
  CHECK(egress_to_web("{podSelector: {}, egress: [{}]}"));
  CHECK(
      egress_to_web("{podSelector: {}, egress: [{to: [{podSelector: {}}], ports: [{port: 80}]}]}"));
  CHECK_FALSE(egress_to_web("{podSelector: {}, egress: [{ports: [{port: 443}]}]}"));
}

TEST_CASE("UDP and SCTP ports are left to the plugin, and never open TCP") {
  const Loaded mesh = load_text(
      world() +
      policy_yaml("\n  podSelector: {}\n  ingress:\n  - ports:\n    - {port: 53, protocol: UDP}",
                  "p", "shop"));
  CHECK_FALSE(mesh.broken);
  CHECK(mentions(mesh,
                 "warning: NetworkPolicy shop/p: spec.ingress[0].ports[0].protocol: UDP is not "
                 "enforced by this proxy, which sees TCP only: leave it to the network plugin"));
  CHECK_FALSE(reaches(mesh, "shop/web", 53));
}

TEST_CASE("pods of the host's network are neither selected nor peers") {
  const Loaded mesh = load_text(
      world() +
      pod_in("shop", "agent", "192.0.2.9", "{app: web}", "nodeName: n, hostNetwork: true") +
      policy_yaml("{podSelector: {matchLabels: {app: web}}}", "p", "shop"));
  const auto snapshot = mesh.snapshot();
  const auto agent = snapshot->workload_by_name("shop", "agent");
  const auto& book = *snapshot->books().network;
  CHECK(book.isolating(*agent, model::NetworkDirection::ingress).empty());
  CHECK(book.isolating(*snapshot->workload_by_name("shop", "web"), model::NetworkDirection::ingress)
            .size() == 1);
}

TEST_CASE(
    "a pod and its node reach each other whatever the policies say; another node is a stranger") {
  const std::string db =
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: db, namespace: shop}\n"
      "spec: {nodeName: n}\n"
      "status: {podIP: 10.0.0.2, hostIP: 192.0.2.1, hostIPs: [{ip: 192.0.2.1}, {ip: "
      "'2001:db8::1'}]}\n";
  const Loaded mesh =
      load_text(db + policy_yaml("{podSelector: {}, policyTypes: [Ingress, Egress]}", "p", "shop"));
  CHECK(mesh.text() == "");
  for (const auto direction : {model::NetworkDirection::ingress, model::NetworkDirection::egress}) {
    CHECK(reaches(mesh, "192.0.2.1", 80, "db", direction));
    CHECK(reaches(mesh, "2001:db8::1", 80, "db", direction));
    CHECK_FALSE(reaches(mesh, "192.0.2.2", 80, "db", direction));
  }
}

TEST_CASE("a changed label changes the book; a reload without a change keeps it") {
  const std::string policy = policy_yaml("{podSelector: {matchLabels: {app: web}}}", "p", "shop");
  const Loaded before = load_text(world() + policy);
  const Loaded same = load_text(policy + world());
  CHECK(*before.state.books.network == *same.state.books.network);
  std::string changed = world();
  changed.replace(changed.find("labels: {}"), 10, "labels: {app: web}");
  CHECK(*before.state.books.network != *load_text(changed + policy).state.books.network);
}

TEST_CASE("mistakes in a NetworkPolicy are named with their place and their mend") {
  struct Row {
    std::string_view spec;
    std::string_view line;
  };
  for (const Row& row : {
           Row{"{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}]}]}",
               "spec.ingress[0].from[0].ipBlock.cidr: \"10.0.0.0\" is no network: write one such "
               "as 10.0.0.0/8, 192.0.2.1/32 or fd00::/8"},
           Row{"{ingress: [{from: [{ipBlock: {}}]}]}",
               "spec.ingress[0].from[0].ipBlock.cidr: missing: write a network such as 10.0.0.0/8"},
           Row{"{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]}",
               "spec.ingress[0].from[0].ipBlock.except: 11.0.0.0/16 is not inside 10.0.0.0/8: "
               "write a part of it, or remove it"},
           Row{"{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]}",
               "spec.ingress[0].from[0].ipBlock: stands beside a selector: write it as an entry of "
               "its own"},
           Row{"{ingress: [{from: [{}]}]}",
               "spec.ingress[0].from[0]: empty: write podSelector, namespaceSelector or ipBlock"},
           Row{"{ingress: [~]}",
               "spec.ingress[0]: is empty: write {} for a rule that matches all, or remove the "
               "dash"},
           Row{"{ingress: [{from: [~]}]}",
               "spec.ingress[0].from[0]: is empty: write podSelector, namespaceSelector or "
               "ipBlock, or remove the dash"},
           Row{"{ingress: [{ports: [~]}]}",
               "spec.ingress[0].ports[0]: is empty: write port: NUMBER, or {} for every TCP port, "
               "or remove the dash"},
           Row{"{egress: [{to: [~]}]}",
               "spec.egress[0].to[0]: is empty: write podSelector, namespaceSelector or ipBlock, "
               "or remove the dash"},
           Row{"{policyTypes: [ingress]}",
               "spec.policyTypes: \"ingress\" is none: write Ingress or Egress"},
           Row{"{ingress: [{ports: [{port: 70000}]}]}",
               "spec.ingress[0].ports[0].port: \"70000\" is no port: write a number from 1 to "
               "65535, or the name of a container's port"},
           Row{"{ingress: [{ports: [{port: 80, endPort: 79}]}]}",
               "spec.ingress[0].ports[0].endPort: 79 is below port 80: write the last port of the "
               "range"},
           Row{"{ingress: [{ports: [{port: http, endPort: 81}]}]}",
               "spec.ingress[0].ports[0].endPort: needs a numeric port beside it: write where the "
               "range begins"},
           Row{"{ingress: [{ports: [{port: 80, protocol: tcp}]}]}",
               "spec.ingress[0].ports[0].protocol: \"tcp\" is none: write TCP, UDP or SCTP"},
           Row{"{podSelector: {matchExpressions: [{key: a, operator: Equals, values: [b]}]}}",
               "spec.podSelector.matchExpressions[0].operator: \"Equals\" is none: write In, "
               "NotIn, Exists or DoesNotExist"},
           Row{"{podSelector: {matchExpressions: [{key: a, operator: In}]}}",
               "spec.podSelector.matchExpressions[0].values: missing: In needs at least one value"},
           Row{"{podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}",
               "spec.podSelector.matchExpressions[0].values: Exists takes none: remove them, or "
               "write In"},
       }) {
    CAPTURE(row.spec);
    const Loaded mesh = load_text(policy_yaml(row.spec));
    CHECK(mesh.broken);
    CHECK(says(mesh, fmt::format("mesh.yaml:5: NetworkPolicy default/p: {}", row.line)));
  }
  const auto unknown = [](std::string_view field) {
    return fmt::format("{}: no such field: look for a misspelling or a wrong indentation", field);
  };
  const auto empty = [](std::string_view field) {
    return fmt::format("{}: has no value: write one, or leave the field out", field);
  };
  struct Field {
    std::string_view spec;
    std::string line;
  };
  for (const Field& row : {
           Field{"{podSelector: {}, ingres: []}", unknown("spec.ingres")},
           Field{"{podSelector: {app: web}}", unknown("spec.podSelector.app")},
           Field{"{podSelector: }", empty("spec.podSelector")},
           Field{"{ingress: [{form: [{podSelector: {}}]}]}", unknown("spec.ingress[0].form")},
           Field{"{ingress: [{from: , ports: [{port: 80}]}]}", empty("spec.ingress[0].from")},
           Field{"{ingress: [{from: [{podSelector: {app: web}}]}]}",
                 unknown("spec.ingress[0].from[0].podSelector.app")},
           Field{"{ingress: [{from: [{podselector: {}}]}]}",
                 unknown("spec.ingress[0].from[0].podselector")},
           Field{"{ingress: [{from: [{podSelector: {}, namespaceSelector: }]}]}",
                 empty("spec.ingress[0].from[0].namespaceSelector")},
           Field{"{ingress: [{from: [{ipBlock: }]}]}", empty("spec.ingress[0].from[0].ipBlock")},
           Field{"{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, exept: [10.1.0.0/16]}}]}]}",
                 unknown("spec.ingress[0].from[0].ipBlock.exept")},
           Field{"{ingress: [{ports: [{prot: 80}]}]}", unknown("spec.ingress[0].ports[0].prot")},
           Field{"{ingress: [{ports: [{port: }]}]}", empty("spec.ingress[0].ports[0].port")},
           Field{"{podSelector: {matchExpressions: [{key: a, operator: In, values: [b], not: c}]}}",
                 unknown("spec.podSelector.matchExpressions[0].not")},
       }) {
    CAPTURE(row.spec);
    const Loaded mesh = load_text(policy_yaml(row.spec));
    CHECK(mesh.broken);
    CHECK(says(mesh, fmt::format("mesh.yaml:5: NetworkPolicy default/p: {}", row.line)));
  }
  CHECK(mentions(load_text(policy_yaml("{podSelector: {}, policyTypes: [Ingress], egress: [{}]}")),
                 "spec.egress: has no effect: policyTypes does not say Egress; add it there"));
}

}  // namespace
}  // namespace aquifer::manifests
