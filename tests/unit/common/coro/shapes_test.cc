// Shapes of coroutine code that some compiler has been seen to miscompile (double destruction, a
// wrong address, both awaits before the first effect). They stay in the suite whatever the compiler
// is: the code here is written as people would write it, also where our style asks for another
// form.
#include "common/coro/task.h"
#include "tests/unit/common/coro/drain.h"

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aquifer::coro {
namespace {

// Counts live objects and checks that each one is where it was made.
class Probe {
 public:
  explicit Probe(int v) : value(v), self_(this) { ++live; }
  Probe(const Probe& other) : value(other.value), self_(this) {
    other.check();
    ++live;
  }
  Probe(Probe&& other) noexcept : value(other.value), self_(this) {
    other.check();
    ++live;
  }
  Probe& operator=(const Probe& other) {
    other.check();
    check();
    value = other.value;
    return *this;
  }
  ~Probe() {
    check();
    self_ = nullptr;
    --live;
  }
  void check() const {
    if (self_ != this) ++misplaced;
  }
  int value;
  static inline int live = 0;
  static inline int misplaced = 0;

 private:
  const Probe* self_;
};

struct Aggregate {
  Probe first;
  Probe second;
  int plain = 0;
};

struct WithConstructor {
  explicit WithConstructor(int v) : probe(v) {}
  Probe probe;
};

/// Runs a task to its end and checks that nothing of it is left or was moved by stealth.
int run(Task<int> task) {
  Probe::live = 0;
  Probe::misplaced = 0;
  int result = -1;
  {
    Drain drain;
    Scope scope;
    scope.spawn([](Task<int> t, int& out) -> Task<void> { out = co_await std::move(t); }(
                                              std::move(task), result));
    drain.run();
    REQUIRE(scope.running() == 0);
  }
  CHECK(Probe::live == 0);
  CHECK(Probe::misplaced == 0);
  return result;
}

Task<int> take_function(std::function<int()> function) {
  co_await Pause();
  co_return function();
}
template <typename F>
Task<int> take_callable(F callable) {
  co_await Pause();
  co_return callable();
}
template <typename F>
Task<int> take_callable_reference(F&& callable) {
  co_await Pause();
  co_return callable();
}
Task<int> take_aggregate(Aggregate aggregate) {
  co_await Pause();
  aggregate.first.check();
  co_return aggregate.first.value + aggregate.second.value + aggregate.plain;
}
Task<int> take_aggregate_reference(const Aggregate& aggregate) {
  co_await Pause();
  aggregate.first.check();
  co_return aggregate.first.value + aggregate.second.value + aggregate.plain;
}
Task<int> take_array(std::array<Probe, 2> probes) {
  co_await Pause();
  co_return probes[0].value + probes[1].value;
}
Task<int> take_value(WithConstructor value) {
  co_await Pause();
  co_return value.probe.value;
}
Task<int> give(int value) {
  Probe probe(value);
  co_await Pause();
  co_return probe.value;
}
Task<Probe> give_probe(int value) {
  co_await Pause();
  co_return Probe(value);
}

Task<int> lambda_argument() {
  Probe probe(3);
  co_return co_await take_function([probe] { return probe.value; });
}
Task<int> moved_lambda_argument() {
  auto probe = std::make_unique<Probe>(4);
  co_return co_await take_callable([probe = std::move(probe)] { return probe->value; });
}
Task<int> lambda_by_reference_argument() {
  Probe probe(5);
  co_return co_await take_callable_reference([probe] { return probe.value; });
}
TEST_CASE("a lambda with a capture may be made inside the awaited call") {
  CHECK(run(lambda_argument()) == 3);
  CHECK(run(moved_lambda_argument()) == 4);
  CHECK(run(lambda_by_reference_argument()) == 5);
}

Task<int> braced_aggregate() {
  co_return co_await take_aggregate({Probe(1), Probe(2), 3});
}
Task<int> named_aggregate_type() {
  co_return co_await take_aggregate(Aggregate{.first = Probe(1), .second = Probe(2), .plain = 4});
}
Task<int> aggregate_reference() {
  co_return co_await take_aggregate_reference({Probe(1), Probe(2), 5});
}
Task<int> braced_array() {
  co_return co_await take_array({Probe(1), Probe(2)});
}
Task<int> constructed_temporary() {
  co_return co_await take_value(WithConstructor(6));
}
TEST_CASE("an aggregate may be made inside the awaited call") {
  CHECK(run(braced_aggregate()) == 6);
  CHECK(run(named_aggregate_type()) == 7);
  CHECK(run(aggregate_reference()) == 8);
  CHECK(run(braced_array()) == 3);
  CHECK(run(constructed_temporary()) == 6);
}

int total(const Aggregate& aggregate) {
  return aggregate.first.value + aggregate.second.value;
}
Task<int> temporary_in_plain_call() {
  co_return co_await give(total({Probe(1), Probe(2), 0}));
}
Task<int> called_at_once() {
  Probe probe(7);
  co_return co_await [](Probe mine) -> Task<int> {
    co_await Pause();
    co_return mine.value;
  }(probe);
}
Task<int> ternary(bool yes) {
  const int got = yes ? co_await give(1) : 2;
  co_return got;
}
TEST_CASE("temporaries of plain calls, lambdas called at once and ternaries keep their objects") {
  CHECK(run(temporary_in_plain_call()) == 3);
  CHECK(run(called_at_once()) == 7);
  CHECK(run(ternary(true)) == 1);
  CHECK(run(ternary(false)) == 2);
}

struct AggregateAwaiter {
  Probe probe;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) const {
    ReadyQueue::current().push(self, nullptr);
  }
  int await_resume() const {
    probe.check();
    return probe.value;
  }
};
Task<int> aggregate_awaiter() {
  co_return co_await AggregateAwaiter{Probe(8)};
}
TEST_CASE("an awaiter may be an aggregate with a member that has a destructor") {
  CHECK(run(aggregate_awaiter()) == 8);
}

Task<int> await_inside_braces() {
  Aggregate aggregate{Probe(1), co_await give_probe(2), co_await give(3)};
  co_return aggregate.first.value + aggregate.second.value + aggregate.plain;
}
Task<int> await_inside_list() {
  std::vector<int> values{co_await give(1), co_await give(2)};
  co_return values[0] * 10 + values[1];
}
TEST_CASE("an await may stand inside braces, and the order is that of the text") {
  CHECK(run(await_inside_braces()) == 6);
  CHECK(run(await_inside_list()) == 12);
}

struct Steps {
  std::string text;
  Steps& operator<<(int value) {
    text += std::to_string(value);
    return *this;
  }
};
Task<int> noisy(Steps& steps, int value) {
  steps.text += '(';
  co_await Pause();
  steps.text += ')';
  co_return value;
}
Task<int> two_awaits(Steps& steps) {
  steps << co_await noisy(steps, 1) << co_await noisy(steps, 2);
  co_return 0;
}
TEST_CASE("the left operand of a shift is done before the right one is awaited") {
  Steps steps;
  CHECK(run(two_awaits(steps)) == 0);
  CHECK(steps.text == "()1()2");
}

Task<int> control_flow() {
  int sum = 0;
  if (const int got = co_await give(1); got == 1) sum += got;
  while (co_await give(sum) < 3) ++sum;
  do {
    ++sum;
  } while (co_await give(sum) < 5);
  switch (co_await give(2)) {
    case 2: sum += 10; break;
    default: break;
  }
  for (const int v : {co_await give(1), co_await give(2)}) sum += v;
  const auto& bound = co_await give_probe(100);
  sum += bound.value;
  auto [key, value] = std::pair(co_await give(1000), co_await give_probe(2000));
  co_return sum + key + value.value;
}
TEST_CASE("awaits work in conditions, loops, switches, bindings and extended references") {
  CHECK(run(control_flow()) == 3118);
}

Task<int> over_many_rounds() {
  std::map<int, std::string> text;
  std::optional<Probe> last;
  for (int i = 0; i < 50; ++i) {
    last.emplace(co_await give(i));
    text[i] = std::string(static_cast<std::size_t>(i), 'x');
  }
  co_return static_cast<int>(text[49].size()) + last->value;
}
TEST_CASE("what lives in a frame survives many suspensions") {
  CHECK(run(over_many_rounds()) == 98);
}

}  // namespace
}  // namespace aquifer::coro
