#include "common/telemetry/process_metrics.h"

#include "common/base/fd.h"

#include <doctest/doctest.h>

#include <fcntl.h>

#include <vector>

using namespace aquifer;
using namespace aquifer::telemetry;

TEST_CASE("open descriptors are counted exactly") {
  std::int64_t before = open_fds();
  CHECK(before >= 3);
  std::vector<Fd> more;
  for (int i = 0; i < 5; ++i) more.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK(open_fds() == before + 5);
  more.clear();
  CHECK(open_fds() == before);
}

TEST_CASE("the process's memory is read, and what it allocates shows") {
  ProcessMemory before = process_memory();
  CHECK(before.resident_bytes > 0);
  CHECK(before.anonymous_bytes > 0);
  CHECK(before.anonymous_bytes <= before.resident_bytes);
  std::vector<char> block(64 << 20, 'x');
  CHECK(process_memory().anonymous_bytes >= before.anonymous_bytes + (60 << 20));
  CHECK(block.back() == 'x');
}

TEST_CASE("the process's metrics and its build are in the text under the names scrapers know") {
  Registry registry;
  observe_process(registry);
  set_build(registry, "ztunnel", "");
  for (int hours : {1, 2, 3}) {  // and are never forgotten
    std::string text = registry.render(MonoTime(std::chrono::hours(hours)));
    for (const char* name :
         {"process_open_fds ", "process_max_fds ", "process_resident_memory_bytes ",
          "aquifer_process_anonymous_memory_bytes ", "aquifer_log_lines_dropped_total "}) {
      CHECK_MESSAGE(text.find("\n" + std::string(name)) != std::string::npos, name);
    }
    CHECK(text.find("\nistio_build{component=\"ztunnel\",tag=\"unknown\"} 1\n") !=
          std::string::npos);
  }
}
