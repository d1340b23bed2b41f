#include "config/manifests/mesh_source.h"

#include "config/manifests/assemble.h"
#include "config/manifests/enrolment.h"
#include "config/manifests/limits.h"
#include "config/manifests/lint/locate.h"
#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <malloc.h>

#include <algorithm>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

namespace aquifer::manifests {
namespace {

namespace fs = std::filesystem;

// Below this the trees are a few MiB, and giving them back costs more than it saves.
constexpr std::uint64_t kTrimBytes = 1U << 20U;

Diagnostic about(const fs::path& path, Severity severity, std::string text) {
  return {.severity = severity,
          .file = path.string(),
          .line = 0,
          .object = "",
          .field = "",
          .text = std::move(text)};
}

// The manifest files of a directory, in the order of their names.
std::vector<fs::path> list_directory(const fs::path& directory, Report& report) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    // Hidden ones are the machinery of mounted ConfigMaps and of editors.
    std::error_code gone;  // between its name and this look
    if (at->is_directory(gone) && !name.starts_with('.') && !is_manifest_name(name)) {
      report.add(about(at->path(), Severity::warning,
                       "is a subdirectory and NOT read: move its files up, or give it as a PATH of "
                       "its own"));
    }
    if (!is_manifest_name(name)) continue;
    if (files.size() >= kFilesMax) {
      report.add(about(directory, Severity::error,
                       fmt::format("holds more than {} manifest files", kFilesMax)));
      return {};
    }
    files.push_back(at->path());
  }
  if (error) {
    report.add(
        about(directory, Severity::error, fmt::format("cannot be read: {}", error.message())));
    return {};
  }
  if (files.empty()) {
    report.add(about(directory, Severity::warning,
                     "holds no file named *.yaml or *.yml: the mesh is empty"));
  }
  std::ranges::sort(files);
  return files;
}

// A file named beside the directory it stands in is one file.
void keep_once(std::vector<fs::path>& files) {
  std::set<fs::path> seen;
  std::erase_if(files, [&](const fs::path& file) {
    std::error_code error;
    return !seen.insert(fs::absolute(file, error).lexically_normal()).second;
  });
}

std::vector<fs::path> list_files(const std::vector<fs::path>& paths, Report& report) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (fs::is_directory(status)) {
      std::ranges::move(list_directory(path, report), std::back_inserter(files));
    } else if (fs::exists(status)) {
      files.push_back(path);
    } else {
      const std::string why = error ? error.message() : "No such file or directory";
      report.add(about(path, Severity::error, fmt::format("cannot be read: {}", why)));
    }
  }
  if (paths.size() > 1) keep_once(files);
  return files;
}

std::size_t count_objects(const std::vector<const FileObjects*>& files) {
  std::size_t count = 0;
  for (const FileObjects* file : files) count += file->objects;
  return count;
}

// Findings know their objects; where in them, their files say once more.
void locate_all(std::vector<Finding>& findings) {
  std::map<std::string, std::vector<Finding*>> by_file;
  for (Finding& finding : findings) by_file[finding.diagnostic.file].push_back(&finding);
  for (auto& [file, of_file] : by_file) {
    if (const auto content = read_file(file)) locate(of_file, content->text);
  }
}

// A finding says more than what loading said of the same label or value: one line is enough.
void drop_repeated(Reported& said, const std::vector<Finding>& findings) {
  const auto key_of = [](const Diagnostic& one) {
    return std::tuple(one.file, one.object, one.field, one.text.substr(0, one.text.find(": ")));
  };
  std::set<decltype(key_of(Diagnostic()))> found;
  for (const Finding& finding : findings) found.insert(key_of(finding.diagnostic));
  said.warnings -= std::erase_if(said.diagnostics, [&](const Diagnostic& one) {
    return one.severity == Severity::warning && found.contains(key_of(one));
  });
}

// The signs of a file whose writer was interrupted, or is not finished, although what is there so
// far can be read.
std::optional<std::string> half_written(const FileShape& now, const FileShape* before) {
  if (before == nullptr) return std::nullopt;
  if (now.empty && !before->empty) {
    return "is empty and was not before: half-written? Delete the file if that is meant";
  }
  if (!now.ends_with_newline && before->ends_with_newline) {
    return "ends in the middle of a line and did not before: half-written? End its last line";
  }
  return std::nullopt;
}

}  // namespace

// One file as it was read at one time.
struct MeshSource::CachedFile {
  FileStamp stamp;
  bool stamp_is_proof = false;
  FileShape shape;
  FileObjects objects;
};

MeshSource::MeshSource(std::vector<fs::path> paths, LoadOptions options)
    : paths_(std::move(paths)), options_(std::move(options)) {}
MeshSource::~MeshSource() = default;
MeshSource::MeshSource(MeshSource&&) noexcept = default;
MeshSource& MeshSource::operator=(MeshSource&&) noexcept = default;

std::shared_ptr<const MeshSource::CachedFile> MeshSource::read(const fs::path& path,
                                                               Report& report) const {
  const auto cached = cache_.find(path.string());
  if (cached != cache_.end() && cached->second->stamp_is_proof) {
    const auto stamp = stamp_file(path);
    if (stamp && *stamp == cached->second->stamp) return cached->second;
  }
  auto content = read_file(path);
  if (!content) {
    report.add(std::move(content.error()));
    return nullptr;
  }
  auto file = std::make_shared<CachedFile>();
  file->stamp = content->stamp;
  file->stamp_is_proof = content->stamp_is_proof;
  file->shape = content->shape();
  file->objects = read_text(path.string(), content->text);
  return file;
}

std::vector<const FileObjects*> MeshSource::read_all(Report& report) {
  std::map<std::string, std::shared_ptr<const CachedFile>> files;
  std::uint64_t bytes_parsed = 0;
  for (const fs::path& path : list_files(paths_, report)) {
    auto file = read(path, report);
    if (file == nullptr) continue;
    const auto cached = cache_.find(path.string());
    if (cached == cache_.end() || cached->second != file) bytes_parsed += file->stamp.bytes;
    const auto before = last_good_.find(path.string());
    if (const auto sign =
            half_written(file->shape, before == last_good_.end() ? nullptr : &before->second)) {
      report.add(about(path, Severity::error, *sign));
    }
    files.emplace(path.string(), std::move(file));
  }
  // What was read stays read, also when the load as a whole fails: only the broken file is parsed
  // again.
  cache_ = std::move(files);
  // The trees of long files leave free memory that the allocator would keep: 180 MiB after 16 MiB
  // of manifests.
  if (bytes_parsed > kTrimBytes) ::malloc_trim(0);

  std::vector<const FileObjects*> objects;
  for (const auto& [name, file] : cache_) objects.push_back(&file->objects);
  return objects;
}

LoadResult MeshSource::load() {
  Report report;
  const std::vector<const FileObjects*> objects = read_all(report);
  LoadedMesh mesh;
  mesh.files = objects.size();
  mesh.objects = count_objects(objects);
  mesh.state = assemble(objects, options_, report);
  const bool broken = report.has_errors();
  std::vector<Diagnostic> diagnostics = with_left_out(report.take());
  if (broken) return std::unexpected(std::move(diagnostics));

  last_good_.clear();
  for (const auto& [name, file] : cache_) last_good_.emplace(name, file->shape);
  mesh.warnings = std::move(diagnostics);
  return mesh;
}

CheckedMesh MeshSource::check() {
  Report report;
  std::vector<Finding> findings;
  const std::vector<const FileObjects*> objects = read_all(report);
  (void)assemble(objects, options_, report, &findings);
  CheckedMesh mesh;
  mesh.files = objects.size();
  mesh.objects = count_objects(objects);
  mesh.refused = report.has_errors();
  Reported said = report.take();
  drop_repeated(said, findings);
  locate_all(findings);
  report.append(said);
  for (Finding& finding : findings) report.add(std::move(finding.diagnostic));
  mesh.findings = report.take();
  return mesh;
}

std::string MeshSource::why_captured(std::string_view ns, std::string_view name) const {
  const NamespaceObject* of = nullptr;
  const PodObject* found = nullptr;
  for (const auto& [path, file] : cache_) {
    for (const NamespaceObject& one : file->objects.namespaces) {
      if (one.meta.name == ns) of = &one;
    }
    for (const PodObject& pod : file->objects.pods) {
      if (pod.meta.ns == ns && pod.meta.name == name) found = &pod;
    }
  }
  return found == nullptr ? std::string() : explain_enrolment(*found, of).why;
}

LoadResult load(const fs::path& path, const LoadOptions& options) {
  return MeshSource({path}, options).load();
}

bool is_manifest_name(std::string_view file_name) noexcept {
  return !file_name.starts_with('.') &&
         (file_name.ends_with(".yaml") || file_name.ends_with(".yml"));
}

}  // namespace aquifer::manifests
