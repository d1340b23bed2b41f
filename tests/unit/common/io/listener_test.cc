#include "common/io/listener.h"

#include "tests/unit/common/io/io_fixture.h"

#include <fcntl.h>
#include <sys/resource.h>

namespace aquifer::io {
namespace {

using std::chrono::milliseconds;

/// Lowers the limit of open files until it goes out of scope.
class FewFiles {
 public:
  explicit FewFiles(rlim_t limit) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    rlimit lowered = before_;
    lowered.rlim_cur = limit;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &lowered) == 0);
  }
  ~FewFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewFiles(const FewFiles&) = delete;
  FewFiles& operator=(const FewFiles&) = delete;

 private:
  rlimit before_{};
};

/// The lowest number that a new descriptor would get, with every lower one taken.
rlim_t next_descriptor(std::vector<Fd>& fillers) {
  int last = -1;
  for (;;) {
    Fd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int number = fd.get();
    fillers.push_back(std::move(fd));
    // Two in a row without a gap up to a number beyond all others in use.
    if (number > 512) {
      last = number;
      break;
    }
  }
  return static_cast<rlim_t>(last) + 1;
}

coro::Task<void> wait_for_pause(Loop& loop, Listener& listener, std::uint64_t count) {
  const Deadline deadline = loop.after(kSoon);
  while (listener.pauses() < count && !deadline.expired(loop.now())) {
    const Status slept = co_await sleep_until(loop, loop.after(milliseconds(1)));
    REQUIRE(slept.has_value());
  }
  CHECK(listener.pauses() >= count);
}

coro::Task<void> out_of_descriptors(Loop& loop) {
  Listening listening = listen_anywhere();
  std::vector<Fd> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(connect_now(listening.address));
  std::vector<Fd> fillers;
  const rlim_t limit = next_descriptor(fillers);
  std::unique_ptr<Listener> listener;
  {
    const FewFiles few(limit);
    listener = std::make_unique<Listener>(loop, std::move(listening.fd));
    co_await wait_for_pause(loop, *listener, 3);
  }
  for (int i = 0; i < 20; ++i) {
    const auto accepted = co_await listener->accept();
    REQUIRE(accepted.has_value());
  }
  co_await listener->stop();
  const auto end = co_await listener->accept();
  CHECK(end.error().code == Errc::closed);
}

ON_BOTH_BACKENDS("a listener without descriptors pauses, and then serves those that waited") {
  run_on<B>(out_of_descriptors);
}

coro::Task<void> stop_during_pause(Loop& loop) {
  Listening listening = listen_anywhere();
  const Fd client = connect_now(listening.address);
  std::vector<Fd> fillers;
  const rlim_t limit = next_descriptor(fillers);
  std::unique_ptr<Listener> listener;
  {
    const FewFiles few(limit);
    listener = std::make_unique<Listener>(loop, std::move(listening.fd));
    co_await wait_for_pause(loop, *listener, 1);
  }
  co_await listener->stop();
  const auto accepted = co_await listener->accept();
  CHECK(accepted.has_value());
}

ON_BOTH_BACKENDS("a listener stopped during such a pause still gives out what waited") {
  run_on<B>(stop_during_pause);
}

coro::Task<void> stop_drains(Loop& loop) {
  Listening listening = listen_anywhere();
  Listener listener(loop, std::move(listening.fd));
  std::vector<Fd> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(connect_now(listening.address));
  co_await listener.stop();
  int accepted = 0;
  for (;;) {
    const auto next = co_await listener.accept();
    if (!next) {
      CHECK(next.error().code == Errc::closed);
      break;
    }
    ++accepted;
  }
  CHECK(accepted == 100);
}

ON_BOTH_BACKENDS(
    "stopping gives out every connection that was in the kernel's queue, then closed") {
  run_on<B>(stop_drains);
}

coro::Task<void> accept_until_closed(Listener& listener, int& accepted) {
  for (;;) {
    const auto next = co_await listener.accept();
    if (!next) co_return;
    ++accepted;
  }
}

coro::Task<void> stop_under_acceptor(Loop& loop, int rounds_before_stop) {
  Listening listening = listen_anywhere();
  Listener listener(loop, std::move(listening.fd));
  coro::Scope scope;
  int accepted = 0;
  scope.spawn(accept_until_closed(listener, accepted));
  co_await yield();
  std::vector<Fd> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(connect_now(listening.address));
  for (int i = 0; i < rounds_before_stop; ++i) co_await yield();
  co_await listener.stop();
  co_await scope.join();
  CHECK(accepted == 200);
}

ON_BOTH_BACKENDS("a coroutine that is accepting while the listener stops gets every connection") {
  for (const int rounds : {0, 1, 2, 3, 5}) {
    CAPTURE(rounds);
    run_on<B>(stop_under_acceptor, rounds);
  }
}

coro::Task<void> stop_unused(Loop& loop) {
  Listening listening = listen_anywhere();
  {
    Listener listener(loop, std::move(listening.fd));
    co_await listener.stop();
  }
  Socket late(loop, tcp_socket(AF_INET).value());
  const Status status = co_await late.connect(listening.address, loop.after(kSoon));
  CHECK(status.error().code == Errc::connection_refused);
}

ON_BOTH_BACKENDS("after a stopped listener is gone its port refuses") {
  run_on<B>(stop_unused);
}

coro::Task<void> stop_with_survivors(Loop& loop) {
  Listening listening = listen_anywhere();
  Listener listener(loop, std::move(listening.fd));
  const Fd client = connect_now(listening.address);
  co_await listener.stop();
  const auto served = co_await listener.accept();
  REQUIRE(served.has_value());
  // The listener stays, as a pod's does until its last connection has ended.
  Socket late(loop, tcp_socket(AF_INET).value());
  const Status status = co_await late.connect(listening.address, loop.after(kSoon));
  CHECK(status.error().code == Errc::connection_refused);
}

ON_BOTH_BACKENDS(
    "a stopped listener takes nobody more, or clients would wait for as long as it is kept") {
  run_on<B>(stop_with_survivors);
}

coro::Task<void> many_listeners(Loop& loop) {
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<SocketAddress> addresses;
  for (int i = 0; i < 30; ++i) {
    Listening listening = listen_anywhere();
    addresses.push_back(listening.address);
    listeners.push_back(std::make_unique<Listener>(loop, std::move(listening.fd)));
  }
  std::vector<Fd> clients;
  for (const auto& address : addresses) clients.push_back(connect_now(address));
  for (const auto& listener : listeners) {
    const auto accepted = co_await listener->accept();
    REQUIRE(accepted.has_value());
    CHECK((::fcntl(accepted->get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(accepted->get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
  for (const auto& listener : listeners) co_await listener->stop();
}

ON_BOTH_BACKENDS(
    "listeners do not mix up their connections, which are non-blocking and not inherited") {
  run_on<B>(many_listeners);
}

}  // namespace
}  // namespace aquifer::io
