#include "common/admin/signals.h"

#include "common/io/readiness.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

namespace aquifer::admin {

Result<Signals> Signals::open() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (::pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return fail(Errc::io, "blocking signals");
  std::signal(SIGPIPE, SIG_IGN);
  Fd fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd) return std::unexpected(error_from_errno(errno, "signalfd"));
  return Signals(std::move(fd));
}

coro::Task<Result<int>> Signals::next(io::Loop& loop, coro::CancelSource* cancel) {
  for (;;) {
    io::Readable wait(loop, channel_, Deadline::never(), cancel);
    const Status woken = co_await wait;
    if (!woken) co_return std::unexpected(woken.error());
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) == sizeof info)
      co_return static_cast<int>(info.ssi_signo);
  }
}

}  // namespace aquifer::admin
