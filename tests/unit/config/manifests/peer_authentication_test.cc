// PeerAuthentication manifests: which workloads refuse plaintext, on which ports, and by which
// policy.
#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

using namespace test;

std::string peer_yaml(std::string_view name, std::string_view ns, std::string_view spec,
                      std::string_view created = "") {
  return fmt::format(
      "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"
      "metadata: {{name: {}, namespace: {}{}}}\nspec: {}\n",
      name, ns, created.empty() ? "" : fmt::format(", creationTimestamp: '{}'", created), spec);
}

// Of the pod "web" (label app: web) in the namespace default: does a plaintext connection, and one
// with an identity, reach the port?
struct Reach {
  bool plaintext = false;
  bool mutual_tls = false;
  friend bool operator==(const Reach&, const Reach&) = default;
};
constexpr Reach kBoth{true, true};
constexpr Reach kStrict{false, true};

Loaded load_with_web(const std::string& policies) {
  Loaded mesh = load_text(pod_yaml("web", "10.0.0.1", "labels: {app: web}") + policies);
  CHECK_FALSE(mesh.broken);
  return mesh;
}

Reach reach(const Loaded& mesh, std::uint16_t port) {
  const model::SnapshotPtr snapshot = mesh.snapshot();
  const model::WorkloadPtr web = snapshot->workload_by_name("default", "web");
  const SpiffeId identity = SpiffeId::make("cluster.local", "any", "one").value();
  model::AuthorizationRequest request;
  request.source = SocketAddress::parse("10.0.0.9:40000").value();
  request.destination = {web->addresses[0], port};
  request.workload = web.get();
  Reach result;
  result.plaintext = authorize(*snapshot->books().authorization, request).allowed();
  request.identity = &identity;
  result.mutual_tls = authorize(*snapshot->books().authorization, request).allowed();
  return result;
}

std::vector<std::string> names(const Loaded& mesh) {
  return mesh.workload("web")->authorization_policies;
}

const std::vector<std::string> kStatic{"istio-system/istio_converted_static_strict"};

struct PeerCase {
  const char* what;
  std::string policies;
  Reach on_80;
  Reach on_81;
};

std::string mesh_wide(std::string_view mode) {
  return peer_yaml("mesh", "istio-system", fmt::format("{{mtls: {{mode: {}}}}}", mode));
}
std::string of_namespace(std::string_view mode) {
  return peer_yaml("ns", "default", fmt::format("{{mtls: {{mode: {}}}}}", mode));
}
// `ports` such as "80: {mode: STRICT}".
std::string of_web(std::string_view mode, std::string_view ports = "") {
  const std::string mtls = mode.empty() ? "" : fmt::format(", mtls: {{mode: {}}}", mode);
  const std::string level = ports.empty() ? "" : fmt::format(", portLevelMtls: {{{}}}", ports);
  return peer_yaml("web", "default",
                   fmt::format("{{selector: {{matchLabels: {{app: web}}}}{}{}}}", mtls, level));
}

TEST_CASE("which plaintext is refused: mesh, namespace, selector and port, the nearest counts") {
  const std::vector<PeerCase> cases{
      {"nothing", "", kBoth, kBoth},
      {"strict mesh", mesh_wide("STRICT"), kStrict, kStrict},
      {"permissive mesh", mesh_wide("PERMISSIVE"), kBoth, kBoth},
      {"disabled mesh", mesh_wide("DISABLE"), kBoth, kBoth},
      {"unset mesh", mesh_wide("UNSET"), kBoth, kBoth},
      {"strict namespace", of_namespace("STRICT"), kStrict, kStrict},
      {"permissive namespace in a strict mesh", mesh_wide("STRICT") + of_namespace("PERMISSIVE"),
       kBoth, kBoth},
      {"disabled namespace in a strict mesh", mesh_wide("STRICT") + of_namespace("DISABLE"), kBoth,
       kBoth},
      {"unset namespace in a strict mesh", mesh_wide("STRICT") + of_namespace("UNSET"), kStrict,
       kStrict},
      {"strict namespace in a permissive mesh", mesh_wide("PERMISSIVE") + of_namespace("STRICT"),
       kStrict, kStrict},
      {"strict workload", of_web("STRICT"), kStrict, kStrict},
      {"permissive workload in a strict namespace", of_namespace("STRICT") + of_web("PERMISSIVE"),
       kBoth, kBoth},
      {"disabled workload in a strict mesh", mesh_wide("STRICT") + of_web("DISABLE"), kBoth, kBoth},
      {"unset workload in a strict mesh", mesh_wide("STRICT") + of_web("UNSET"), kStrict, kStrict},
      {"workload without a mode in a strict namespace", of_namespace("STRICT") + of_web(""),
       kStrict, kStrict},
      {"one strict port", of_web("", "80: {mode: STRICT}"), kStrict, kBoth},
      {"one strict port of a permissive workload", of_web("PERMISSIVE", "80: {mode: STRICT}"),
       kStrict, kBoth},
      {"one strict port of a disabled workload", of_web("DISABLE", "80: {mode: STRICT}"), kStrict,
       kBoth},
      {"two strict ports", of_web("", "80: {mode: STRICT}, 81: {mode: STRICT}"), kStrict, kStrict},
      {"one strict port of a strict workload", of_web("STRICT", "80: {mode: STRICT}"), kStrict,
       kStrict},
      {"one permissive port of a strict workload", of_web("STRICT", "80: {mode: PERMISSIVE}"),
       kBoth, kStrict},
      {"one disabled port of a strict workload", of_web("STRICT", "80: {mode: DISABLE}"), kBoth,
       kStrict},
      {"two permissive ports of a strict workload",
       of_web("STRICT", "80: {mode: PERMISSIVE}, 81: {mode: DISABLE}"), kBoth, kBoth},
      {"an unset port of a strict workload", of_web("STRICT", "80: {mode: UNSET}"), kStrict,
       kStrict},
      {"one permissive port under a strict mesh",
       mesh_wide("STRICT") + of_web("UNSET", "80: {mode: PERMISSIVE}"), kBoth, kStrict},
      {"one disabled port under a strict namespace",
       of_namespace("STRICT") + of_web("", "80: {mode: DISABLE}"), kBoth, kStrict},
      {"one permissive port under a permissive namespace",
       of_namespace("PERMISSIVE") + of_web("", "80: {mode: PERMISSIVE}"), kBoth, kBoth},
      {"one strict port under a permissive namespace of a strict mesh",
       mesh_wide("STRICT") + of_namespace("PERMISSIVE") + of_web("", "80: {mode: STRICT}"), kStrict,
       kBoth},
      {"one strict and one permissive port under a strict mesh",
       mesh_wide("STRICT") + of_web("", "80: {mode: STRICT}, 81: {mode: PERMISSIVE}"), kStrict,
       kBoth},
      {"another namespace's", peer_yaml("ns", "other", "{mtls: {mode: STRICT}}"), kBoth, kBoth},
      {"another workload's",
       peer_yaml("db", "default", "{selector: {matchLabels: {app: db}}, mtls: {mode: STRICT}}"),
       kBoth, kBoth},
  };
  for (const PeerCase& one : cases) {
    CAPTURE(one.what);
    const Loaded mesh = load_with_web(one.policies);
    CAPTURE(mesh.text());
    CHECK(reach(mesh, 80) == one.on_80);
    CHECK(reach(mesh, 81) == one.on_81);
  }
}

TEST_CASE("the policies have the peer's names") {
  CHECK(names(load_with_web("")).empty());
  CHECK(names(load_with_web(mesh_wide("STRICT"))) == kStatic);
  CHECK(names(load_with_web(of_namespace("STRICT"))) == kStatic);
  CHECK(names(load_with_web(of_web("STRICT", "80: {mode: STRICT}"))) == kStatic);
  CHECK(names(load_with_web(mesh_wide("PERMISSIVE"))).empty());
  CHECK(names(load_with_web(of_web("", "80: {mode: STRICT}"))) ==
        std::vector<std::string>{"default/converted_peer_authentication_web"});
  // The exception says the rest as well: the static policy would deny what it lets through.
  CHECK(names(load_with_web(mesh_wide("STRICT") + of_web("", "80: {mode: DISABLE}"))) ==
        std::vector<std::string>{"default/converted_peer_authentication_web"});
  const Loaded any = load_with_web(mesh_wide("PERMISSIVE"));
  const auto policy = any.state.books.authorization->find(kStatic[0]);
  REQUIRE(policy != nullptr);
  CHECK(policy->scope == model::AuthorizationScope::workload_selector);
  CHECK(policy->action == model::AuthorizationAction::deny);
}

TEST_CASE("no PeerAuthentication, no policy") {
  CHECK(load_with_web("").state.books.authorization->empty());
}

TEST_CASE("of several at one level the oldest counts, and the others are named") {
  const Loaded mesh = load_with_web(
      peer_yaml("b", "istio-system", "{mtls: {mode: STRICT}}", "2024-01-01T00:00:00Z") +
      peer_yaml("a", "istio-system", "{mtls: {mode: PERMISSIVE}}", "2024-01-02T00:00:00Z"));
  CHECK(reach(mesh, 80) == kStrict);
  CHECK(mentions(mesh,
                 "PeerAuthentication istio-system/a: has no effect: PeerAuthentication "
                 "istio-system/b is for the same workloads and older"));
  const Loaded selecting = load_with_web(
      peer_yaml("young", "default", "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}}",
                "2024-01-02T00:00:00Z") +
      peer_yaml("old", "default", "{selector: {matchLabels: {app: web}}, mtls: {mode: PERMISSIVE}}",
                "2024-01-01T00:00:00Z"));
  CHECK(reach(selecting, 80) == kBoth);
  const Loaded undated = load_with_web(peer_yaml("a", "default", "{mtls: {mode: STRICT}}") +
                                       peer_yaml("b", "default", "{mtls: {mode: PERMISSIVE}}"));
  CHECK(reach(undated, 80) == kStrict);
}

TEST_CASE("mistakes of PeerAuthentications are said, with the mend") {
  const auto said = [](const std::string& text) { return load_text(text).text(); };
  CHECK(said(peer_yaml("p", "default", "{mtls: {mode: TIGHT}}"))
            .contains("PeerAuthentication default/p: spec.mtls.mode: \"TIGHT\" is no mode: write "
                      "STRICT, PERMISSIVE, DISABLE or UNSET"));
  CHECK(said(peer_yaml("p", "default", "{portLevelMtls: {80: {mode: STRICT}}}"))
            .contains("spec.portLevelMtls: needs a selector"));
  CHECK(said(of_web("", "http: {mode: STRICT}"))
            .contains("is not a port: write a number from 1 to 65535"));
  CHECK(said(of_web("", "70000: {mode: STRICT}"))
            .contains("is not a port: write a number from 1 to 65535"));
  CHECK(said(peer_yaml("p", "istio-system",
                       "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}}"))
            .contains("spec.selector: has no effect in the root namespace"));
  CHECK(said(of_web("DISABLE")).contains("DISABLE is PERMISSIVE here"));
}

TEST_CASE("a field of a PeerAuthentication that is not known, or without a value, is an error") {
  const auto refused = [](const std::string& text) {
    const Loaded mesh = load_text(text);
    CHECK(mesh.broken);
    return mesh.text();
  };
  CHECK(refused(peer_yaml("p", "default", "{mtls: {mod: STRICT}}"))
            .contains("spec.mtls.mod: no such field: look for"));
  CHECK(refused(peer_yaml("p", "default", "{mTLS: {mode: STRICT}}"))
            .contains("spec.mTLS: no such field: look for"));
  CHECK(refused(peer_yaml("p", "default", "{mtls: }")).contains("spec.mtls: has no value"));
  CHECK(refused(peer_yaml("p", "default", "{mtls: {mode: }}"))
            .contains("spec.mtls.mode: has no value"));
  CHECK(refused(of_web("STRICT", "80: ")).contains("spec.portLevelMtls.80: has no value"));
  CHECK(refused(peer_yaml("p", "default", "{selector: {app: web}, mtls: {mode: STRICT}}"))
            .contains("spec.selector.app: no such field: look for"));
}

}  // namespace
}  // namespace aquifer::manifests
