// Manifests of a few lines, and the mesh that comes of them.
#pragma once

#include "config/manifests/assemble.h"
#include "config/manifests/read_objects.h"
#include "config/model/snapshot.h"
#include "config/model/store.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aquifer::manifests::test {

struct Loaded {
  model::FullState state;
  std::vector<Diagnostic> diagnostics;
  bool broken = false;

  /// What is in the mesh, as decisions see it.
  [[nodiscard]] model::SnapshotPtr snapshot() const {
    model::Store store;
    return store.replace(state).after;
  }
  [[nodiscard]] const model::WorkloadPtr workload(std::string_view name,
                                                  std::string_view ns = "default") const {
    return snapshot()->workload_by_name(ns, name);
  }
  /// All lines, for comparing.
  [[nodiscard]] std::string text() const { return render(diagnostics); }
};

struct File {
  std::string name;
  std::string text;
};

inline Loaded load_files(const std::vector<File>& files, const LoadOptions& options = {}) {
  std::vector<FileObjects> objects;
  for (const File& file : files) objects.push_back(read_text(file.name, file.text));
  std::vector<const FileObjects*> pointers;
  for (const FileObjects& one : objects) pointers.push_back(&one);
  Report report;
  Loaded loaded;
  loaded.state = assemble(pointers, options, report);
  loaded.broken = report.has_errors();
  loaded.diagnostics = with_left_out(report.take());
  return loaded;
}

inline Loaded load_text(const std::string& text, const LoadOptions& options = {}) {
  return load_files({{"mesh.yaml", text}}, options);
}

inline std::string ns_yaml(std::string_view name, std::string_view labels = "{}") {
  return fmt::format("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {}, labels: {}}}\n",
                     name, labels);
}

/// `more` is a flow map that is put into metadata, such as "labels: {a: b}".
inline std::string pod_yaml(std::string_view name, std::string_view ip,
                            std::string_view more = "labels: {}",
                            std::string_view spec = "nodeName: node1") {
  return fmt::format(
      "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {}, namespace: default, {}}}\nspec: "
      "{{{}}}\n"
      "status: {{podIP: {}}}\n",
      name, more, spec, ip);
}

inline std::string service_yaml(std::string_view name, std::string_view ip,
                                std::string_view selector, std::string_view ports,
                                std::string_view more = "type: ClusterIP") {
  return fmt::format(
      "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {}, namespace: default}}\n"
      "spec: {{clusterIP: {}, selector: {}, ports: {}, {}}}\n",
      name, ip, selector, ports, more);
}

/// What `check` finds in a mesh beyond what loading it says: one line each.
inline std::string findings(const std::string& text, const LoadOptions& options = {}) {
  const FileObjects objects = read_text("mesh.yaml", text);
  const FileObjects* pointer = &objects;
  Report report;
  std::vector<Finding> findings;
  (void)assemble({&pointer, 1}, options, report, &findings);
  // A mesh that is refused is not looked at any further: such a test would look at nothing.
  if (report.has_errors()) return "refused: " + render(with_left_out(report.take()));
  std::vector<Finding*> pointers;
  for (Finding& finding : findings) pointers.push_back(&finding);
  locate(pointers, text);
  Report lines;
  for (Finding& finding : findings) lines.add(std::move(finding.diagnostic));
  return render(with_left_out(lines.take()));
}

/// One diagnostic is exactly this line.
inline bool says(const Loaded& loaded, std::string_view line) {
  for (const Diagnostic& diagnostic : loaded.diagnostics) {
    if (render(diagnostic) == line) return true;
  }
  return false;
}

/// Some diagnostic contains this text.
inline bool mentions(const Loaded& loaded, std::string_view text) {
  return loaded.text().contains(text);
}

}  // namespace aquifer::manifests::test
