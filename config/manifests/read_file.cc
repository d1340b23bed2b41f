#include "config/manifests/read_file.h"

#include "common/base/fd.h"
#include "config/manifests/limits.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace aquifer::manifests {
namespace {

// A writer that is quicker than three reads in a row is not going to stop for a fourth.
constexpr int kAttempts = 3;
// The kernel stamps files with a clock of at most 10 ms resolution (CONFIG_HZ=100): twice that is
// surely another tick.
constexpr std::int64_t kClockGrainNs = 20'000'000;

Diagnostic problem(const std::filesystem::path& path, std::string text) {
  return {.severity = Severity::error,
          .file = path.string(),
          .line = 0,
          .object = "",
          .field = "",
          .text = std::move(text)};
}

Diagnostic problem_of_errno(const std::filesystem::path& path, int error) {
  char buffer[128];
  return problem(path,
                 fmt::format("cannot be read: {}", ::strerror_r(error, buffer, sizeof buffer)));
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileStamp stamp_of(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .bytes = static_cast<std::uint64_t>(status.st_size),
          .modified_ns = nanoseconds(status.st_mtim),
          .changed_ns = nanoseconds(status.st_ctim)};
}

bool is_proof(const FileStamp& stamp) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t age = nanoseconds(now) - stamp.changed_ns;
  // A stamp from the future proves nothing either.
  return age > kClockGrainNs;
}

// At most one byte more than the limit, so that a file that grows while it is read cannot fill the
// memory.
std::expected<std::string, int> read_to_end(const Fd& fd, std::size_t bytes_expected) {
  std::string text;
  text.resize(bytes_expected + 1);
  std::size_t used = 0;
  while (used <= kFileBytesMax) {
    if (used == text.size()) text.resize(text.size() * 2);
    const ssize_t got = ::read(fd.get(), text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  text.resize(used);
  return text;
}

std::string too_long(std::uint64_t bytes) {
  return fmt::format("is {} bytes long; at most {} are read: split it", bytes, kFileBytesMax);
}

}  // namespace

std::expected<FileStamp, Diagnostic> stamp_file(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::unexpected(problem_of_errno(path, errno));
  return stamp_of(status);
}

std::expected<FileContent, Diagnostic> read_file(const std::filesystem::path& path) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    // Non-blocking, because opening a pipe would wait for its other end.
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return std::unexpected(problem_of_errno(path, errno));
    struct stat before{};
    if (::fstat(fd.get(), &before) != 0) return std::unexpected(problem_of_errno(path, errno));
    if (!S_ISREG(before.st_mode)) return std::unexpected(problem(path, "is not a regular file"));
    const auto bytes = static_cast<std::uint64_t>(before.st_size);
    if (bytes > kFileBytesMax) return std::unexpected(problem(path, too_long(bytes)));
    auto text = read_to_end(fd, bytes);
    if (!text) return std::unexpected(problem_of_errno(path, text.error()));
    if (text->size() > kFileBytesMax) return std::unexpected(problem(path, too_long(text->size())));
    struct stat after{};
    if (::fstat(fd.get(), &after) != 0) return std::unexpected(problem_of_errno(path, errno));
    const FileStamp stamp = stamp_of(after);
    if (stamp != stamp_of(before) || text->size() != stamp.bytes) continue;
    return FileContent{.text = std::move(*text), .stamp = stamp, .stamp_is_proof = is_proof(stamp)};
  }
  return std::unexpected(problem(
      path,
      "changed while it was being read: write it under another name and rename it into place"));
}

}  // namespace aquifer::manifests
