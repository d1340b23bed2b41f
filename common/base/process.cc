#include "common/base/process.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <string_view>

namespace aquifer {
namespace {

int drop_code_of(dl_phdr_info* object, std::size_t /*bytes*/, void* /*context*/) noexcept {
  // The kernel's own pages are no file's.
  if (std::string_view(object->dlpi_name).starts_with("linux-")) return 0;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    // Never what may have been written: dropping that would bring back what the file says.
    const bool code = segment.p_type == PT_LOAD && (segment.p_flags & (PF_X | PF_W)) == PF_X;
    if (!code) continue;
    const std::uintptr_t start = object->dlpi_addr + segment.p_vaddr;
    const std::uintptr_t first = (start + page - 1) / page * page;
    const std::uintptr_t last = (start + segment.p_memsz) / page * page;
    if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void forget_code_of_start() noexcept {
  ::dl_iterate_phdr(&drop_code_of, nullptr);
}

void raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void tune_allocator() noexcept {
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 512 << 10);
}

}  // namespace aquifer
