// What a mesh may say and still bites those who wrote it: a selector that selects nothing, a label
// nobody reads. `ztunnel check` looks for it; a proxy that loads the mesh never does. Pure.
#pragma once

#include "config/manifests/assembly.h"
#include "config/manifests/diagnostic.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace aquifer::manifests {

/// Where inside an object: a field, and its line when that is known (else the object's own).
struct Place {
  std::string field;
  std::uint32_t line = 0;
};

/// Puts findings into a report. An error is what cannot do what it says, or cuts traffic off; a
/// warning is what is rarely meant. Neither keeps a proxy from loading the mesh.
class Findings {
 public:
  explicit Findings(Report& report) : report_(report) {}
  void error(std::string_view kind, const Metadata& meta, const Place& place, std::string text);
  void warn(std::string_view kind, const Metadata& meta, const Place& place, std::string text);

 private:
  void add(Severity severity, std::string_view kind, const Metadata& meta, const Place& place,
           std::string text);
  Report& report_;
};

/// All lints on a mesh that was assembled without errors.
void lint(const Assembly& assembly, Report& report);

// The lints, each in a file of its own name.
void lint_labels(const Assembly& assembly, Findings& findings);
void lint_pods(const Assembly& assembly, Findings& findings);
void lint_services(const Assembly& assembly, Findings& findings);
void lint_waypoints(const Assembly& assembly, Findings& findings);

}  // namespace aquifer::manifests
