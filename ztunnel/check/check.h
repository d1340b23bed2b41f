// `ztunnel check`: reads manifests as the proxy would, looks for what bites, and says all of it.
#pragma once

#include "config/manifests/mesh_source.h"
#include "ztunnel/settings.h"

#include <cstdint>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

struct CheckOptions {
  /// Files and directories; together they are one mesh.
  std::vector<std::string> paths;
  bool json = false;
  /// Warnings fail the check, too: for a pipeline that wants none.
  bool strict = false;
};

/// Prints what is wrong (standard error, one line each) and a summary (standard output), or one
/// JSON document (standard output). Returns the program's exit code: 1 when there is an error.
[[nodiscard]] int check_mesh(const Settings& settings, const CheckOptions& options);

/// "mesh/: 12 objects in 3 files: 1 error, 2 warnings; a proxy would refuse this mesh"
[[nodiscard]] std::string check_summary(const CheckOptions& options,
                                        const manifests::CheckedMesh& mesh);
/// {"ok", "refused", "files", "objects", "errors", "warnings", "leftOut", "findings": [{"severity",
/// "file", "line", "object", "field", "text"}]}; `line`, `object` and `field` are left out when
/// there is none. The counts are of all, `leftOut` of those that the list has no place for.
[[nodiscard]] std::string check_json(const CheckOptions& options,
                                     const manifests::CheckedMesh& mesh);
/// True exactly when the exit code is to be 0.
[[nodiscard]] bool check_passes(const CheckOptions& options, const manifests::CheckedMesh& mesh);

}  // namespace aquifer::ztunnel
