#include "common/coro/wait_list.h"

#include "tests/unit/common/coro/drain.h"

#include <doctest/doctest.h>

namespace aquifer::coro {
namespace {

Task<void> wait_in(WaitList& list, CancelSource* cancel, int& woken, int& cancelled) {
  WaitList::Place place(list);
  const Status status = co_await place.event.wait(cancel);
  if (status) {
    ++woken;
  } else {
    ++cancelled;
  }
}

TEST_CASE("all who wait are woken, and those who leave early are not missed") {
  Drain drain;
  Scope scope;
  WaitList list;
  CancelSource cancel;
  int woken = 0;
  int cancelled = 0;
  for (int i = 0; i < 3; ++i) scope.spawn(wait_in(list, nullptr, woken, cancelled));
  scope.spawn(wait_in(list, &cancel, woken, cancelled));
  CHECK(list.waiting() == 4);
  cancel.cancel();
  drain.run();
  CHECK(cancelled == 1);
  CHECK(list.waiting() == 3);
  list.notify_all();
  list.notify_all();
  drain.run();
  CHECK(woken == 3);
  CHECK(list.waiting() == 0);
}

}  // namespace
}  // namespace aquifer::coro
