#include "common/coro/event.h"

#include "tests/unit/common/coro/drain.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::coro {
namespace {

Task<void> wait_once(Event& event, CancelSource* cancel, std::string& log) {
  const Status woken = co_await event.wait(cancel);
  log += woken ? "woken " : std::string(name_of(woken.error().code)) + " ";
}

TEST_CASE("a notification before the wait is remembered, but only once") {
  Drain drain;
  Scope scope;
  Event event;
  std::string log;
  event.notify();
  event.notify();
  scope.spawn(wait_once(event, nullptr, log));
  CHECK(log == "woken ");
  scope.spawn(wait_once(event, nullptr, log));
  drain.run();
  CHECK(log == "woken ");
  event.notify();
  drain.run();
  CHECK(log == "woken woken ");
}

TEST_CASE("the waiter is resumed by the ready queue, never from inside notify") {
  Drain drain;
  Scope scope;
  Event event;
  std::string log;
  scope.spawn(wait_once(event, nullptr, log));
  event.notify();
  CHECK(log.empty());
  CHECK_FALSE(event.has_waiter());
  drain.run();
  CHECK(log == "woken ");
}

TEST_CASE("a wait that is cancelled ends once, and a later notification stays for the next") {
  Drain drain;
  Scope scope;
  Event event;
  CancelSource source;
  std::string log;
  scope.spawn(wait_once(event, &source, log));
  source.cancel();
  event.notify();
  drain.run();
  CHECK(log == "cancelled ");
  scope.spawn(wait_once(event, nullptr, log));
  CHECK(log == "cancelled woken ");
}

TEST_CASE("a wait that was notified first is not cancelled any more") {
  Drain drain;
  Scope scope;
  Event event;
  CancelSource source;
  std::string log;
  scope.spawn(wait_once(event, &source, log));
  event.notify();
  source.cancel();
  drain.run();
  CHECK(log == "woken ");
}

TEST_CASE("a wait with a source that is already cancelled does not suspend") {
  Drain drain;
  Scope scope;
  Event event;
  CancelSource source;
  source.cancel();
  std::string log;
  scope.spawn(wait_once(event, &source, log));
  CHECK(log == "cancelled ");
}

struct Counter : CancelHook {
  explicit Counter(CancelHook* also = nullptr) : CancelHook(&Counter::hit), other(also) {}
  static void hit(CancelHook& hook) noexcept {
    auto& self = static_cast<Counter&>(hook);
    ++self.hits;
    if (self.other != nullptr) self.other->unlink();
  }
  CancelHook* other;
  int hits = 0;
};

TEST_CASE("every hook is told once, also when a callback takes others out") {
  CancelSource source;
  Counter plain;
  Counter removed;
  Counter removing(&removed);
  source.add(removed);
  source.add(plain);
  source.add(removing);  // told before `removed`, whatever end the list is told from
  source.cancel();
  source.cancel();
  CHECK(plain.hits == 1);
  CHECK(removing.hits == 1);
  CHECK(removed.hits == 0);
  CHECK(source.cancelled());
}

TEST_CASE("a hook that goes out of scope is told nothing") {
  CancelSource source;
  {
    Counter brief;
    source.add(brief);
  }
  Counter stays;
  source.add(stays);
  source.cancel();
  CHECK(stays.hits == 1);
}

}  // namespace
}  // namespace aquifer::coro
