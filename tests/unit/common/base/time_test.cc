#include "common/base/time.h"

#include <doctest/doctest.h>

namespace aquifer {
namespace {

TEST_CASE("a deadline has expired from its very moment on") {
  const MonoTime at{std::chrono::seconds(5)};
  CHECK_FALSE(Deadline(at).expired(at - std::chrono::nanoseconds(1)));
  CHECK(Deadline(at).expired(at));
}

TEST_CASE("never is later than every deadline and does not expire") {
  const Deadline soon(MonoTime{std::chrono::seconds(1)});
  CHECK(Deadline::never().is_never());
  CHECK_FALSE(soon.is_never());
  CHECK_FALSE(Deadline::never().expired(MonoTime{std::chrono::hours(24 * 365 * 100)}));
  CHECK(Deadline::never().sooner(soon) == soon);
  CHECK(soon.sooner(Deadline::never()) == soon);
}

}  // namespace
}  // namespace aquifer
