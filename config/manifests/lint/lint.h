// What a mesh may say and still bites those who wrote it: a selector that selects nothing, a label
// nobody reads. `ztunnel check` looks for it; a proxy that loads the mesh never does. Pure.
#pragma once

#include "config/manifests/assembly.h"
#include "config/manifests/diagnostic.h"
#include "config/manifests/lint/locate.h"
#include "config/manifests/lint/pod_index.h"

#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace aquifer::manifests {

/// Where inside an object: a field, such as "spec.selector" or "spec.rules[1].to", and the text
/// there that is meant.
struct Place {
  std::string field;
  std::string value;
};

/// Collects what is found. An error is what cannot do what it says, or cuts traffic off; a warning
/// is what is rarely meant. Neither keeps a proxy from loading the mesh.
class Findings {
 public:
  void error(std::string_view kind, const Metadata& meta, const Place& place, std::string text);
  void warn(std::string_view kind, const Metadata& meta, const Place& place, std::string text);
  /// With the lines of their objects.
  [[nodiscard]] std::vector<Finding> take() { return std::exchange(findings_, {}); }

 private:
  void add(Severity severity, std::string_view kind, const Metadata& meta, const Place& place,
           std::string text);
  std::vector<Finding> findings_;
};

/// A mesh as lints look at it. `assembly`, assembled without errors, outlives it.
struct LintMesh {
  explicit LintMesh(const Assembly& mesh);

  const Assembly& assembly;
  PodIndex pods;

  /// Does the namespace's policy hold for the whole mesh?
  [[nodiscard]] bool is_root(std::string_view ns) const;
  /// The pods that an Istio policy of this namespace and with this selector holds for.
  [[nodiscard]] PodIndex::Pods selected(std::string_view ns, const StringMap& selector) const;
  /// Is the pod in the mesh, so that a proxy stands before it?
  [[nodiscard]] bool is_captured(const PodObject& pod) const;

 private:
  std::unordered_set<std::string> captured_;
};

/// All lints on a mesh that was assembled without errors.
[[nodiscard]] std::vector<Finding> lint(const Assembly& assembly);

// The lints, each in a file of its own name.
void lint_labels(const LintMesh& mesh, Findings& findings);
void lint_pods(const LintMesh& mesh, Findings& findings);
void lint_services(const LintMesh& mesh, Findings& findings);
void lint_waypoints(const LintMesh& mesh, Findings& findings);
void lint_authorization(const LintMesh& mesh, Findings& findings);
void lint_authorization_pairs(const LintMesh& mesh, Findings& findings);
void lint_peer_authentication(const LintMesh& mesh, Findings& findings);
void lint_egress(const LintMesh& mesh, Findings& findings);
void lint_network_peers(const LintMesh& mesh, Findings& findings);
void lint_routes(const LintMesh& mesh, Findings& findings);

}  // namespace aquifer::manifests
