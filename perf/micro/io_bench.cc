// What the runtime itself costs: suspending and resuming, calling a child task, a frame, a timer,
// and echo round trips on both backends. Prints only; figures go into reports by hand.
#include "common/coro/scope.h"
#include "common/io/loop.h"
#include "common/io/socket.h"
#include "common/io/timer.h"

#include <fmt/format.h>

#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace aquifer::io {
namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Wall and CPU time from its construction.
class Stopwatch {
 public:
  [[nodiscard]] double wall() const {
    return std::chrono::duration<double>(Clock::now() - wall_).count();
  }
  [[nodiscard]] double cpu() const { return cpu_seconds() - cpu_; }

 private:
  MonoTime wall_ = Clock::now();
  double cpu_ = cpu_seconds();
};

void report(const char* what, const Stopwatch& watch, double count) {
  fmt::print("{:<44} {:>9.1f} ns wall {:>9.1f} ns cpu\n", what, watch.wall() * 1e9 / count,
             watch.cpu() * 1e9 / count);
}

coro::Task<int> child(int value) {
  co_return value + 1;
}

coro::Task<int> suspending_child(int value) {
  co_await yield();
  co_return value + 1;
}

coro::Task<void> call_costs(int count) {
  int sum = 0;
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) sum = co_await child(sum);
  report("call a child task that finishes at once", watch, count);
  if (sum != count) std::abort();
}

coro::Task<void> spin(int count) {
  for (int i = 0; i < count; ++i) co_await yield();
}
coro::Task<void> spin_with_child(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum = co_await suspending_child(sum);
  if (sum != count) std::abort();
}

// A queue of its own: no round of a loop, no system call.
void queue_costs(int count) {
  constexpr int kTogether = 64;
  coro::ReadyQueue queue;
  coro::ReadyQueue* before = &coro::ReadyQueue::current();
  coro::ReadyQueue::set_current(&queue);
  {
    coro::Scope scope;
    const Stopwatch watch;
    for (int i = 0; i < kTogether; ++i) scope.spawn(spin(count / kTogether));
    while (!queue.empty()) queue.run_once();
    report("suspend and resume through the ready queue", watch, count);
  }
  {
    coro::Scope scope;
    const Stopwatch watch;
    for (int i = 0; i < kTogether; ++i) scope.spawn(spin_with_child(count / kTogether));
    while (!queue.empty()) queue.run_once();
    report("the same inside a child task", watch, count);
  }
  coro::ReadyQueue::set_current(before);
}

void timer_costs(int count) {
  struct Quiet : Timer {
    Quiet() : Timer([](Timer&) noexcept {}) {}
  };
  TimerQueue queue;
  std::vector<std::unique_ptr<Quiet>> armed;
  for (int i = 0; i < 10'000; ++i) {
    armed.push_back(std::make_unique<Quiet>());
    armed.back()->arm(queue, Deadline(MonoTime{std::chrono::seconds(i + 1)}));
  }
  Quiet timer;
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) {
    timer.arm(queue, Deadline(MonoTime{std::chrono::seconds(i % 10'000)}));
    timer.disarm();
  }
  report("arm and disarm a timer among 10,000", watch, count);
  for (auto& each : armed) each->disarm();
}

coro::Task<void> echo_side(Loop& loop, Fd fd) {
  Socket socket(loop, std::move(fd));
  for (;;) {
    const auto received = co_await socket.recv();
    if (!received || received->empty()) co_return;
    const auto sent = socket.try_send(received->view());
    if (!sent) co_return;
  }
}

coro::Task<void> ask_side(Loop& loop, Fd fd, int rounds) {
  Socket socket(loop, std::move(fd));
  const std::array<std::uint8_t, 64> question{};
  for (int i = 0; i < rounds; ++i) {
    if (!socket.try_send(ByteView(question))) std::abort();
    const auto answer = co_await socket.recv(UINT32_MAX, loop.after(std::chrono::seconds(30)));
    if (!answer || answer->empty()) std::abort();
  }
}

std::array<Fd, 2> make_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    std::abort();
  }
  return {Fd(ends[0]), Fd(ends[1])};
}

coro::Task<void> echo_rounds(Loop& loop, int connections, int rounds) {
  coro::Scope scope;
  const Stopwatch watch;
  const std::uint64_t waits = loop.backend().counters().waits;
  for (int i = 0; i < connections; ++i) {
    auto ends = make_pair();
    scope.spawn(echo_side(loop, std::move(ends[0])));
    scope.spawn(ask_side(loop, std::move(ends[1]), rounds));
  }
  co_await scope.join();
  const double total = static_cast<double>(connections) * rounds;
  fmt::print(
      "{:<7} echo, {:>3} connections {:>10.0f} round trips/s {:>8.0f} ns cpu {:>6.2f} waits\n",
      name_of(loop.backend_kind()), connections, total / watch.wall(), watch.cpu() * 1e9 / total,
      static_cast<double>(loop.backend().counters().waits - waits) / total);
}

coro::Task<void> bulk_source(Loop& loop, Fd fd, std::size_t total) {
  Socket socket(loop, std::move(fd));
  const std::vector<std::uint8_t> block(256 * 1024);
  for (std::size_t sent = 0; sent < total; sent += block.size()) {
    const Status status = co_await socket.send_all(block);
    if (!status) std::abort();
  }
}
coro::Task<void> bulk_sink(Loop& loop, Fd fd) {
  Socket socket(loop, std::move(fd));
  for (;;) {
    const auto received = co_await socket.recv();
    if (!received) std::abort();
    if (received->empty()) co_return;
  }
}

coro::Task<void> bulk(Loop& loop, std::size_t total) {
  coro::Scope scope;
  const Stopwatch watch;
  auto ends = make_pair();
  scope.spawn(bulk_sink(loop, std::move(ends[0])));
  scope.spawn(bulk_source(loop, std::move(ends[1]), total));
  co_await scope.join();
  const double gigabytes = static_cast<double>(total) * 1e-9;
  fmt::print("{:<7} bulk through a socket pair {:>8.2f} GB/s {:>8.3f} cpu s/GB\n",
             name_of(loop.backend_kind()), gigabytes / watch.wall(), watch.cpu() / gigabytes);
}

void run(BackendChoice choice) {
  auto made = Loop::create(choice);
  if (!made) {
    fmt::print("not here: {}\n", made.error().message());
    return;
  }
  Loop& loop = **made;
  if (choice == BackendChoice::epoll) {
    queue_costs(10'000'000);
    loop.run(call_costs(10'000'000));
    timer_costs(5'000'000);
  }
  loop.run(echo_rounds(loop, 1, 100'000));
  loop.run(echo_rounds(loop, 100, 5'000));
  loop.run(bulk(loop, std::size_t{4} << 30U));
}

}  // namespace
}  // namespace aquifer::io

int main() {
  aquifer::io::run(aquifer::io::BackendChoice::epoll);
  aquifer::io::run(aquifer::io::BackendChoice::uring);
  return 0;
}
