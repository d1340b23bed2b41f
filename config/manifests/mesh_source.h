// The mesh directory as a source of configuration: files in, a whole model or a list of what is
// wrong out. Owned by the control thread; it reads files and so blocks.
#pragma once

#include "config/manifests/diagnostic.h"
#include "config/manifests/read_file.h"
#include "config/model/store.h"

#include <cstdint>
#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

/// What the environment says and the manifests do not.
struct LoadOptions {
  std::string network;
  std::string cluster_id = "Kubernetes";
  std::string cluster_domain = "cluster.local";
};

struct FileObjects;

struct LoadedMesh {
  model::FullState state;
  std::vector<Diagnostic> warnings;
  std::size_t files = 0;
  /// Of every kind, read or not.
  std::size_t objects = 0;
};

using LoadResult = std::expected<LoadedMesh, std::vector<Diagnostic>>;

/// What `check` tells: everything that is wrong, whether or not the mesh could be used.
struct CheckedMesh {
  Reported findings;
  /// A proxy would refuse this mesh; otherwise errors among the findings are of lints alone.
  bool refused = false;
  std::size_t files = 0;
  std::size_t objects = 0;
};

/// Reads the directories and files again and again; what has not changed on disk is not parsed
/// again. A load is all or nothing: after an error the caller keeps the mesh it had.
///
/// Half a file can be good YAML. Four things stand against it: Watcher waits until writers have
/// closed their files; a file that changes while it is read is read again; objects without what
/// they cannot do without are errors; and a file that was whole before and now is empty or ends in
/// the middle of a line is refused. A file cut between two of its objects cannot be told from one
/// that was edited so: write under another name and rename.
class MeshSource {
 public:
  /// Directories are read without their subdirectories; of them, files named *.yaml and *.yml not
  /// starting with a dot.
  MeshSource(std::vector<std::filesystem::path> paths, LoadOptions options);
  ~MeshSource();
  MeshSource(MeshSource&&) noexcept;
  MeshSource& operator=(MeshSource&&) noexcept;

  [[nodiscard]] LoadResult load();
  /// As load(), with the lints.
  [[nodiscard]] CheckedMesh check();
  /// Why a pod is captured or not, by the files as they were read last; empty for what is no pod.
  [[nodiscard]] std::string why_captured(std::string_view ns, std::string_view name) const;
  [[nodiscard]] const std::vector<std::filesystem::path>& paths() const noexcept { return paths_; }

 private:
  struct CachedFile;

  // The objects of all files as they are now; they live in the cache.
  std::vector<const FileObjects*> read_all(Report& report);
  std::shared_ptr<const CachedFile> read(const std::filesystem::path& path, Report& report) const;

  std::vector<std::filesystem::path> paths_;
  LoadOptions options_;
  std::map<std::string, std::shared_ptr<const CachedFile>> cache_;
  // How each file ended when it was last part of a good mesh: tells a file that is being written
  // from one that is done.
  std::map<std::string, FileShape> last_good_;
};

/// Does a file of a mesh directory count? `*.yaml` and `*.yml`, but not hidden ones (editors' and
/// writers' own).
[[nodiscard]] bool is_manifest_name(std::string_view file_name) noexcept;

/// Once, for `check` and `explain`.
[[nodiscard]] LoadResult load(const std::filesystem::path& path, const LoadOptions& options = {});

}  // namespace aquifer::manifests
