#include "common/base/fd.h"

#include <unistd.h>

namespace aquifer {

void Fd::close() noexcept {
  // close(2) releases the descriptor even when it reports EINTR on Linux, so it is never repeated.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace aquifer
