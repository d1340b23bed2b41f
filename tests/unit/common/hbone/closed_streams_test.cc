// How streams ended, as far back as it matters.
#include "common/hbone/closed_streams.h"

#include <doctest/doctest.h>

namespace aquifer::hbone {
namespace {

TEST_CASE("each stream's end is remembered, and ids that were skipped are told from used ones") {
  ClosedStreams closed;
  closed.opened(1);
  closed.opened(7);
  closed.closed(1, ClosedHow::ended);
  CHECK(closed.how(1) == ClosedHow::ended);
  CHECK(closed.how(3) == ClosedHow::unknown);
  CHECK(closed.how(5) == ClosedHow::unknown);
  CHECK(closed.how(7) == ClosedHow::open);
  closed.closed(7, ClosedHow::reset);
  CHECK(closed.how(7) == ClosedHow::reset);
}

TEST_CASE("ids of the last round do not shine through, and older ones get the lenient answer") {
  ClosedStreams closed;
  for (std::uint32_t id = 1; id < 2 * ClosedStreams::kRemembered; id += 2) {
    closed.opened(id);
    closed.closed(id, ClosedHow::ended);
  }
  const std::uint32_t newest = 2 * ClosedStreams::kRemembered + 101;
  closed.opened(newest);
  CHECK(closed.how(newest - 2) == ClosedHow::unknown);
  CHECK(closed.how(2 * ClosedStreams::kRemembered - 1) == ClosedHow::ended);
  CHECK(closed.how(1) == ClosedHow::reset);
  closed.opened(0x7fffffff);
  CHECK(closed.how(0x7ffffffd) == ClosedHow::unknown);
  CHECK(closed.how(newest) == ClosedHow::reset);
  // Too far back to be noted down.
  closed.closed(newest, ClosedHow::ended);
  CHECK(closed.how(newest) == ClosedHow::reset);
}

}  // namespace
}  // namespace aquifer::hbone
