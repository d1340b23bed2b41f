#include "config/ca/ca_files.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace aquifer::ca {
namespace {

// Chains and keys are a few KiB each; several roots a few dozen. More is another file by mistake.
constexpr std::size_t kFileBytesMax = 1024 * 1024;

constexpr const char* kLockName = ".aquifer-ca.lock";

std::string reason_of(int error) {
  return std::generic_category().message(error);
}

std::unexpected<CertFailure> failed_at(const std::string& path, const char* doing) {
  const int error = errno;
  return std::unexpected(
      CertFailure{error_from_errno(error, "CA directory").from(ErrorSource::config),
                  fmt::format("{}: {}: {}", path, doing, reason_of(error))});
}

bool write_whole(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(fd, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return ::fsync(fd) == 0;
}

}  // namespace

std::unexpected<CertFailure> ca_failure(Errc code, const char* context, std::string text) {
  return std::unexpected(CertFailure{Error(code, ErrorSource::config, context), std::move(text)});
}

std::expected<void, CertFailure> make_ca_directory(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return {};
    return ca_failure(Errc::invalid, "CA directory", fmt::format("{}: is not a directory", path));
  }
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return failed_at(path, "cannot be made");
}

std::expected<Fd, CertFailure> lock_ca_directory(const std::string& path) {
  const std::string lock_path = path + "/" + kLockName;
  Fd fd(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return failed_at(lock_path, "cannot be opened");
  // Its holder makes a key, a millisecond's work: waiting cannot take long.
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return failed_at(lock_path, "cannot be locked");
  }
  return fd;
}

std::expected<std::optional<std::string>, CertFailure> read_ca_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return failed_at(path, "cannot be read");
  std::string text;
  char block[16 * 1024];
  while (true) {
    const ssize_t count = ::read(fd.get(), block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed_at(path, "cannot be read");
    if (count == 0) return text;
    text.append(block, static_cast<std::size_t>(count));
    if (text.size() > kFileBytesMax) {
      return ca_failure(Errc::limit, "CA directory", fmt::format("{}: is larger than 1 MiB", path));
    }
  }
}

std::expected<void, CertFailure> write_ca_file(const std::string& path, const std::string& text,
                                               unsigned mode) {
  // Under the directory's lock only one process writes, so one name is enough and a left-over is
  // overwritten.
  const std::string beside = path + ".new";
  const Fd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd) return failed_at(beside, "cannot be written");
  // The umask, or a left-over, may have given it another mode.
  if (::fchmod(fd.get(), mode) != 0 || !write_whole(fd.get(), text))
    return failed_at(beside, "cannot be written");
  if (::rename(beside.c_str(), path.c_str()) != 0) return failed_at(path, "cannot be put in place");
  return {};
}

bool readable_by_others(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

}  // namespace aquifer::ca
