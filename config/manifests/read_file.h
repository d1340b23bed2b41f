// Bytes of a manifest file, read so that a file caught in the middle of being written is noticed
// where it can be.
#pragma once

#include "config/manifests/diagnostic.h"

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>

namespace aquifer::manifests {

/// Changes whenever the content of a path may have changed.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// What tells half a file from a whole one.
struct FileShape {
  bool ends_with_newline = true;
  bool empty = false;
};

struct FileContent {
  std::string text;
  FileStamp stamp;
  /// False when the file changed so shortly before that another change could leave the stamp as it
  /// is.
  bool stamp_is_proof = true;

  [[nodiscard]] FileShape shape() const noexcept {
    return {.ends_with_newline = text.empty() || text.back() == '\n', .empty = text.empty()};
  }
};

/// The stamp alone; an error when the file cannot be reached.
[[nodiscard]] std::expected<FileStamp, Diagnostic> stamp_file(const std::filesystem::path& path);
/// Reads a regular file whole, or says why not: too long, not a file, no permission, changing while
/// it is read.
[[nodiscard]] std::expected<FileContent, Diagnostic> read_file(const std::filesystem::path& path);

}  // namespace aquifer::manifests
