#include "common/admin/readiness.h"

#include <doctest/doctest.h>

using namespace aquifer::admin;

TEST_CASE("a program with nothing pending is ready") {
  Readiness readiness;
  CHECK(readiness.ready());
  CHECK(readiness.answer().status == 200);
  CHECK(readiness.answer().body == "ready\n");
}

TEST_CASE("each pending task keeps it from being ready and is named") {
  Readiness readiness;
  Readiness::Task state = readiness.pending("state manager");
  Readiness::Task proxy = readiness.pending("proxy");
  CHECK_FALSE(readiness.ready());
  CHECK(readiness.answer().status == 500);
  CHECK(readiness.answer().body == "not ready, pending: proxy, state manager\n");
  state.done();
  state.done();
  CHECK(readiness.answer().body == "not ready, pending: proxy\n");
  proxy = Readiness::Task();
  CHECK(readiness.ready());
}

TEST_CASE("a program can stop being ready again") {
  Readiness readiness;
  readiness.pending("proxy").done();
  CHECK(readiness.ready());
  Readiness::Task lost = readiness.pending("workload proxy manager");
  CHECK_FALSE(readiness.ready());
}

TEST_CASE("a name used twice is named once and pending until both are done") {
  Readiness readiness;
  Readiness::Task first = readiness.pending("proxy");
  Readiness::Task second = readiness.pending("proxy");
  CHECK(readiness.answer().body == "not ready, pending: proxy\n");
  first.done();
  CHECK_FALSE(readiness.ready());
  Readiness::Task moved = std::move(second);
  CHECK_FALSE(second.pending());
  moved.done();
  CHECK(readiness.ready());
}
