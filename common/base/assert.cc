#include "common/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace aquifer {

void assert_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "aquifer: broken invariant at %s:%d: %s\n", file, line, expression);
  std::abort();
}

}  // namespace aquifer
