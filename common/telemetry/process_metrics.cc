#include "common/telemetry/process_metrics.h"

#include "common/base/fd.h"
#include "common/base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>
#include <utility>

namespace aquifer::telemetry {
namespace {

// The number of a line like "RssAnon:     1234 kB", in bytes.
std::int64_t kilobytes_of(std::string_view status, std::string_view name) {
  std::size_t at = status.find(name);
  if (at == std::string_view::npos) return 0;
  at = status.find_first_of("0123456789", at);
  if (at == std::string_view::npos) return 0;
  std::int64_t kilobytes = 0;
  std::from_chars(status.data() + at, status.data() + status.size(), kilobytes);
  return kilobytes * 1024;
}

std::int64_t fds_max() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return static_cast<std::int64_t>(limit.rlim_cur);
}

}  // namespace

std::int64_t open_fds() {
  // Of procfs, so made of memory: reading it does not wait for a disk.
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  std::int64_t entries = 0;
  while (::readdir(directory) != nullptr) ++entries;
  ::closedir(directory);
  return entries - 3;  // ".", ".." and the directory's own
}

ProcessMemory process_memory() {
  Fd file(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  std::array<char, 4096> text;
  ssize_t n = ::read(file.get(), text.data(), text.size());
  if (n <= 0) return {};
  std::string_view status(text.data(), static_cast<std::size_t>(n));
  return {.resident_bytes = kilobytes_of(status, "\nVmRSS:"),
          .anonymous_bytes = kilobytes_of(status, "\nRssAnon:")};
}

void observe_worker_cpu(Registry& registry, std::string_view worker,
                        std::function<std::int64_t()> nanoseconds) {
  registry.observe({.name = "aquifer_worker_cpu_seconds",
                    .help = "CPU time of a worker, all that it does.",
                    .per_unit = kNanosecondsPerSecond},
                   {{"worker", std::string(worker)}}, std::move(nanoseconds));
}

void observe_process(Registry& registry) {
  registry.observe(MetricKind::gauge, "process_open_fds", "Open file descriptors.", {}, open_fds);
  registry.observe(MetricKind::gauge, "process_max_fds", "File descriptors that may be open.", {},
                   fds_max);
  registry.observe(MetricKind::gauge, "process_resident_memory_bytes", "Resident memory.", {},
                   [] { return process_memory().resident_bytes; });
  registry.observe(MetricKind::gauge, "aquifer_process_anonymous_memory_bytes",
                   "Resident memory of the process's own, without files and shared memory.", {},
                   [] { return process_memory().anonymous_bytes; });
  registry.observe(MetricKind::counter, "aquifer_log_lines_dropped",
                   "Log lines lost because the queue was full.", {},
                   [] { return static_cast<std::int64_t>(log::dropped_lines()); });
}

void set_build(Registry& registry, std::string_view component, std::string_view tag) {
  registry.observe(MetricKind::gauge, "istio_build", "The running build.",
                   {{"component", component}, {"tag", tag.empty() ? "unknown" : tag}},
                   [] { return 1; });
}

}  // namespace aquifer::telemetry
