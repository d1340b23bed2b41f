#include "common/coro/scope.h"

#include "tests/unit/common/coro/drain.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::coro {
namespace {

Task<void> steps(int count, std::string& log, char name) {
  for (int i = 0; i < count; ++i) {
    log += name;
    co_await Pause();
  }
}
Task<void> join_and_note(Scope& scope, std::string& log) {
  co_await scope.join();
  log += '!';
}

TEST_CASE("a spawned task runs to its first suspension at once") {
  Drain drain;
  Scope scope;
  std::string log;
  scope.spawn(steps(1, log, 'a'));
  CHECK(log == "a");
  CHECK(scope.running() == 1);
  drain.run();
  CHECK(scope.running() == 0);
}

TEST_CASE("join completes after the last task, and at once when nothing runs") {
  Drain drain;
  Scope inner;
  Scope outer;
  std::string log;
  inner.spawn(steps(1, log, 'a'));
  inner.spawn(steps(3, log, 'b'));
  outer.spawn(join_and_note(inner, log));
  drain.run();
  CHECK(log == "abbb!");
  outer.spawn(join_and_note(inner, log));
  CHECK(log.back() == '!');
  CHECK(outer.running() == 0);
}

Task<void> spawner(Scope& scope, std::string& log) {
  co_await Pause();
  scope.spawn(steps(2, log, 'c'));
}

TEST_CASE("join also waits for tasks that were spawned after it began") {
  Drain drain;
  Scope inner;
  Scope outer;
  std::string log;
  inner.spawn(spawner(inner, log));
  outer.spawn(join_and_note(inner, log));
  drain.run();
  CHECK(log == "cc!");
}

TEST_CASE("a scope that became empty once does not let the next join go early") {
  Drain drain;
  Scope inner;
  Scope outer;
  std::string log;
  inner.spawn(steps(0, log, '-'));  // ends inside spawn: the scope has been idle already
  inner.spawn(steps(2, log, 'd'));
  outer.spawn(join_and_note(inner, log));
  drain.run();
  CHECK(log == "dd!");
}

Task<void> until_cancelled(Scope& scope, Event& event, std::string& log) {
  const Status ended = co_await event.wait(&scope.cancel_source());
  log += ended ? 'n' : 'c';
}

TEST_CASE("cancelling a scope asks all its tasks to end, and join waits for them") {
  Drain drain;
  Scope inner;
  Scope outer;
  Event first;
  Event second;
  std::string log;
  inner.spawn(until_cancelled(inner, first, log));
  inner.spawn(until_cancelled(inner, second, log));
  outer.spawn(join_and_note(inner, log));
  drain.run();
  CHECK(log.empty());
  inner.cancel();
  drain.run();
  CHECK(log == "cc!");
}

struct EndNote {
  EndNote(Scope& s, std::string& l) : scope(&s), log(&l) {}
  EndNote(EndNote&& other) noexcept : scope(std::exchange(other.scope, nullptr)), log(other.log) {}
  EndNote(const EndNote&) = delete;
  EndNote& operator=(const EndNote&) = delete;
  EndNote& operator=(EndNote&&) = delete;
  ~EndNote() {
    if (scope != nullptr) *log += std::to_string(scope->running());
  }
  Scope* scope;
  std::string* log;
};
Task<void> holds(EndNote) {
  co_await Pause();
}

TEST_CASE("the arguments of a spawned task are destroyed while it still counts as running") {
  Drain drain;
  Scope scope;
  std::string log;
  scope.spawn(holds(EndNote(scope, log)));
  drain.run();
  CHECK(log == "1");
}

TEST_CASE("the ready queue gives everybody a turn before anybody's second") {
  Drain drain;
  Scope scope;
  std::string log;
  for (const char name : {'1', '2', '3'}) scope.spawn(steps(3, log, name));
  drain.run();
  CHECK(log == "123123123");
}

}  // namespace
}  // namespace aquifer::coro
