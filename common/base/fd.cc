#include "common/base/fd.h"

#include <unistd.h>

#include <cerrno>

namespace aquifer {

void Fd::close() noexcept {
  // close(2) releases the descriptor even when it reports EINTR on Linux, so it is never repeated.
  // It keeps errno: an Fd often goes out of scope between a failed call and the report of it.
  if (fd_ < 0) return;
  const int error = errno;
  ::close(std::exchange(fd_, -1));
  errno = error;
}

}  // namespace aquifer
