// One bounded round of accept(2), shared by the epoll backend and by listeners that drain before
// they close.
#pragma once

#include "common/io/backend.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

namespace aquifer::io {

/// The connection went away before it was taken, or the call was interrupted: the next one may be
/// fine.
[[nodiscard]] inline bool is_passing_accept_error(int error) noexcept {
  return error == EINTR || error == ECONNABORTED || error == EPROTO;
}

// Accepts per wake-up: others on the loop get their turn; what is left is reported again.
inline constexpr std::uint32_t kAcceptsPerRound = 16;

/// Accepts up to kAcceptsPerRound connections and hands them on; returns how many. Errors other
/// than "none left" are handed on once and end the round.
inline std::uint32_t accept_some(AcceptHandler& handler) noexcept {
  std::uint32_t accepted = 0;
  while (handler.active && accepted < kAcceptsPerRound) {
    const int fd = ::accept4(handler.channel.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      const int error = errno;
      if (error == EAGAIN) break;
      if (is_passing_accept_error(error)) continue;
      handler.on_accept(handler.context, -error);
      break;
    }
    ++accepted;
    handler.on_accept(handler.context, fd);
  }
  return accepted;
}

}  // namespace aquifer::io
