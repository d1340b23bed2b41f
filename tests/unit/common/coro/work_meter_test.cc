#include "common/coro/work_meter.h"

#include "common/coro/event.h"
#include "common/coro/scope.h"
#include "common/coro/task.h"
#include "tests/unit/common/coro/drain.h"

#include <doctest/doctest.h>

#include <time.h>

#include <memory>

using namespace aquifer;
using namespace aquifer::coro;

namespace {

std::chrono::nanoseconds thread_cpu() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

/// Uses the CPU itself, however busy the machine is.
void burn(std::chrono::milliseconds amount) {
  const auto until = thread_cpu() + amount;
  while (thread_cpu() < until) {
  }
}

constexpr std::chrono::milliseconds kBurn{30};

/// Works for `share` each time it is woken.
Task<void> worker(WorkShare* share, Event& wake, std::chrono::milliseconds amount, int rounds) {
  ReadyQueue::current().meter().work_for(share);
  for (int i = 0; i < rounds; ++i) {
    const Status woken = co_await wake.wait();
    CHECK(woken.has_value());
    burn(amount);
  }
}

std::chrono::nanoseconds settled_last{0};

struct Pod {
  WorkShare share{[](WorkShare& settled) noexcept { settled_last = settled.cpu(); }};
  ~Pod() { share.leave(); }
};

struct LastOfPod {
  static Task<void> run(std::unique_ptr<Pod>& pod, Event& wake) {
    ReadyQueue::current().meter().work_for(&pod->share);
    Status woken = co_await wake.wait();
    CHECK(woken.has_value());
    burn(kBurn);
    woken = co_await wake.wait();
    CHECK(woken.has_value());
    pod.reset();
    CHECK(ReadyQueue::current().meter().current() == nullptr);
  }
};

}  // namespace

TEST_CASE("a share that works gets nearly all of the CPU time, one that only wakes next to none") {
  Drain drain;
  WorkMeter& meter = ReadyQueue::current().meter();
  WorkShare busy;
  WorkShare idle;
  Event wake_busy;
  Event wake_idle;
  Scope scope;
  scope.spawn(worker(&busy, wake_busy, kBurn, 3));
  scope.spawn(worker(&idle, wake_idle, std::chrono::milliseconds(0), 3));
  meter.settle();
  const auto busy_before = busy.cpu();
  const auto before = meter.thread_cpu();
  for (int i = 0; i < 3; ++i) {
    wake_idle.notify();
    wake_busy.notify();
    drain.run();
  }
  meter.settle();
  const auto used = meter.thread_cpu() - before;
  CHECK(used >= 3 * kBurn);
  CHECK(busy.cpu() - busy_before >= used * 95 / 100);
  CHECK(idle.cpu() <= used / 50);
  CHECK(scope.running() == 0);
}

TEST_CASE("shares and what is nobody's add up to the thread's CPU time to the nanosecond") {
  Drain drain;
  WorkMeter& meter = ReadyQueue::current().meter();
  meter.settle();
  const auto start = meter.thread_cpu() - meter.nobodys_cpu();
  WorkShare first;
  WorkShare second;
  Event wake_first;
  Event wake_second;
  Event wake_nobody;
  Scope scope;
  scope.spawn(worker(&first, wake_first, std::chrono::milliseconds(3), 5));
  scope.spawn(worker(&second, wake_second, std::chrono::milliseconds(7), 5));
  scope.spawn(worker(nullptr, wake_nobody, std::chrono::milliseconds(2), 5));
  for (int i = 0; i < 5; ++i) {
    wake_first.notify();
    wake_second.notify();
    wake_nobody.notify();
    drain.run();
    meter.settle();
    CHECK(meter.thread_cpu() - meter.nobodys_cpu() - start == first.cpu() + second.cpu());
  }
  CHECK(second.cpu() > first.cpu());
  CHECK(meter.nobodys_cpu() > std::chrono::milliseconds(5));
}

TEST_CASE("a continuation works for whom it waited, whoever wakes it and whoever spawns it") {
  Drain drain;
  WorkMeter& meter = ReadyQueue::current().meter();
  WorkShare pod;
  WorkShare waker;
  Event wake;
  Scope scope;
  meter.work_for(&waker);
  scope.spawn(worker(&pod, wake, kBurn, 1));
  // The spawner's own work is still its own.
  CHECK(meter.current() == &waker);
  wake.notify();
  drain.run();
  meter.settle();
  CHECK(pod.cpu() >= kBurn * 9 / 10);
  CHECK(waker.cpu() < kBurn / 2);
}

TEST_CASE(
    "who leaves takes what is its due, and a continuation that outlives it works for nobody") {
  Drain drain;
  WorkMeter& meter = ReadyQueue::current().meter();
  auto pod = std::make_unique<Pod>();
  Event wake;
  Scope scope;
  scope.spawn(LastOfPod::run(pod, wake));
  wake.notify();
  drain.run();
  wake.notify();
  drain.run();
  CHECK(scope.running() == 0);
  CHECK(settled_last >= kBurn * 9 / 10);
  meter.settle();
}
