// The limits of the mesh directory, each with its reason. Past one, the load is refused with a line
// that names it.
#pragma once

#include <chrono>
#include <cstddef>

namespace aquifer::manifests {

/// A dump of 3,000 pods is about this long; etcd itself refuses objects above 1.5 MiB.
inline constexpr std::size_t kFileBytesMax = std::size_t{16} << 20U;
/// Twice the deepest field of any Kubernetes object; also bounds the recursion of the parser.
inline constexpr std::size_t kDepthMax = 64;
/// 16 MiB of ordinary manifests hold about two million nodes (keys and values); a node costs about
/// 90 bytes while its document is read.
inline constexpr std::size_t kNodesPerFileMax = 3'000'000;
/// Nodes of one document with every alias written out: bounds what walking a document can cost,
/// whatever it refers to.
inline constexpr std::size_t kExpandedNodesMax = 4'000'000;
/// As many documents as nodes would be too cheap a way to waste time: kubectl writes one List.
inline constexpr std::size_t kDocumentsPerFileMax = 100'000;
/// A directory of more files than this is not a mesh but a mistake (somebody named / or /proc).
inline constexpr std::size_t kFilesMax = 10'000;
/// Twice the largest cluster that Kubernetes promises to run (150,000 pods).
inline constexpr std::size_t kObjectsMax = 300'000;
/// Enough to mend a directory by; nobody reads more.
inline constexpr std::size_t kDiagnosticsMax = 1'000;

/// A change counts when nothing has happened for this long: tools write several files in a row.
inline constexpr std::chrono::milliseconds kQuietTime{50};
/// A file that stays open for writing, or changes that never cease, are waited for no longer than
/// this.
inline constexpr std::chrono::milliseconds kPatience{2000};
/// How often a directory that has vanished is looked for.
inline constexpr std::chrono::milliseconds kReappearInterval{500};

}  // namespace aquifer::manifests
