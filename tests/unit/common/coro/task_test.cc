#include "common/coro/task.h"

#include "common/base/result.h"
#include "tests/unit/common/coro/drain.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

namespace aquifer::coro {
namespace {

Task<int> immediate(int value) {
  co_return value;
}
Task<int> after_pause(int value) {
  co_await Pause();
  co_return value;
}

Task<void> note(bool& ran) {
  ran = true;
  co_return;
}

TEST_CASE("a task does nothing before it is awaited, and may be dropped unstarted") {
  bool ran = false;
  {
    auto task = note(ran);
  }
  CHECK_FALSE(ran);
}

Task<void> add_up(int& sum) {
  const int first = co_await immediate(1);
  const int second = co_await after_pause(20);
  const int third = co_await after_pause(300);
  sum = first + second + third;
}

TEST_CASE("results come back from children that finish at once and from those that wait") {
  Drain drain;
  Scope scope;
  int sum = 0;
  scope.spawn(add_up(sum));
  CHECK(sum == 0);
  drain.run();
  CHECK(sum == 321);
}

Task<Result<std::unique_ptr<std::string>>> fetch(bool good) {
  co_await Pause();
  if (!good) co_return fail(Errc::not_found, "fetching");
  co_return std::make_unique<std::string>("text");
}
Task<Result<std::size_t>> fetch_size(bool good) {
  CO_TRY(const auto text, co_await fetch(good));
  co_return text->size();
}
Task<Status> fetch_status(bool good) {
  CO_TRY_VOID(co_await fetch_size(good));
  co_return Status{};
}
Task<void> collect(Result<std::size_t>& good, Status& bad) {
  good = co_await fetch_size(true);
  bad = co_await fetch_status(false);
}

TEST_CASE("CO_TRY hands move-only values on and ends the task with the first error") {
  Drain drain;
  Scope scope;
  Result<std::size_t> good = fail(Errc::internal);
  Status bad;
  scope.spawn(collect(good, bad));
  drain.run();
  CHECK(good.value() == 4);
  CHECK(bad.error().code == Errc::not_found);
}

struct Depth {
  std::uintptr_t lowest = UINTPTR_MAX;
  std::uintptr_t highest = 0;
  // The frame's address, not a local's: sanitizers keep locals elsewhere.
  [[gnu::noinline]] void mark() {
    const auto at = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    lowest = std::min(lowest, at);
    highest = std::max(highest, at);
  }
  [[nodiscard]] std::uintptr_t spread() const { return highest - lowest; }
};

Task<int> leaf(Depth& depth, bool wait) {
  depth.mark();
  if (wait) co_await Pause();
  depth.mark();
  co_return 1;
}
Task<int> branch(Depth& depth, bool wait) {
  const int got = co_await leaf(depth, wait);
  co_return got;
}
Task<void> long_loop(Depth& depth, int rounds, int& sum) {
  for (int i = 0; i < rounds; ++i) sum += co_await branch(depth, i % 3 == 0);
}

TEST_CASE("a long loop of child tasks, waiting or not, does not grow the stack") {
  Drain drain;
  Scope scope;
  Depth depth;
  int sum = 0;
  scope.spawn(long_loop(depth, 200'000, sum));
  drain.run();
  CHECK(sum == 200'000);
  // A leak of one frame a round would be megabytes; ASan's frames are large.
  CHECK(depth.spread() < 64 * 1024);
}

Task<int> chain(int depth) {
  if (depth == 0) {
    co_await Pause();
    co_return 0;
  }
  const int below = co_await chain(depth - 1);
  co_return below + 1;
}
Task<void> run_chain(int depth, int& reached) {
  reached = co_await chain(depth);
}

TEST_CASE("a chain of a thousand waiting tasks unwinds through its parents") {
  Drain drain;
  Scope scope;
  int reached = 0;
  scope.spawn(run_chain(1000, reached));
  CHECK(reached == 0);
  drain.run();
  CHECK(reached == 1000);
}

struct Tracer {
  explicit Tracer(std::string& l, char n) : log(&l), name(n) {}
  Tracer(Tracer&& other) noexcept : log(std::exchange(other.log, nullptr)), name(other.name) {}
  Tracer& operator=(Tracer&&) = delete;
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;
  ~Tracer() {
    if (log != nullptr) *log += name;
  }
  std::string* log;
  char name;
};

Task<void> owns(Tracer argument, std::string& log) {
  Tracer local(log, 'l');
  co_await Pause();
  log += '.';
  (void)argument;
}
Task<void> calls_owns(std::string& log) {
  Tracer tracer(log, 'a');
  co_await owns(std::move(tracer), log);
  log += '!';
}

TEST_CASE("locals and arguments of a child are destroyed once, before the parent goes on") {
  Drain drain;
  Scope scope;
  std::string log;
  scope.spawn(calls_owns(log));
  drain.run();
  CHECK(log == ".la!");
}

}  // namespace
}  // namespace aquifer::coro
