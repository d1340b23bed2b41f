// Invariants that stop the process. For programming errors only: never for what a peer, a file or
// the control plane can send (those are values of type Error, see result.h).
#pragma once

namespace aquifer {

/// Prints the failed expression with its place on standard error and aborts.
[[noreturn]] void assert_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace aquifer

/// Always on, also in release builds: a broken invariant is cheaper as a crash than as lost bytes.
#define AQUIFER_ASSERT(expression)                               \
  do {                                                           \
    if (!(expression)) [[unlikely]]                              \
      ::aquifer::assert_failed(#expression, __FILE__, __LINE__); \
  } while (false)

/// For hot paths only: compiled out when NDEBUG is set.
#ifdef NDEBUG
#define AQUIFER_DEBUG_ASSERT(expression) \
  do {                                   \
  } while (false)
#else
#define AQUIFER_DEBUG_ASSERT(expression) AQUIFER_ASSERT(expression)
#endif
