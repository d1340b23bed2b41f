#include "common/admin/message.h"

#include <doctest/doctest.h>

using namespace aquifer::admin;

TEST_CASE("a target is split into path and decoded parameters") {
  Request request =
      make_request("GET", "/logging?level=a%3Ddebug,b&reset&x=1+2&&level=second", {}, "");
  CHECK(request.path == "/logging");
  CHECK(request.parameter("level") == "a=debug,b");
  CHECK(request.parameter("reset") == "");
  CHECK(request.parameter("x") == "1 2");
  CHECK_FALSE(request.parameter("y").has_value());
  CHECK(request.query.size() == 4);
}

TEST_CASE("broken escapes stand for themselves") {
  Request request = make_request("GET", "/?a=%&b=%zz&c=%4", {}, "");
  CHECK(request.parameter("a") == "%");
  CHECK(request.parameter("b") == "%zz");
  CHECK(request.parameter("c") == "%4");
}

TEST_CASE("the absolute form names the same path, RFC 9112 section 3.2.2") {
  CHECK(make_request("GET", "http://host:15020/metrics?x=1", {}, "").path == "/metrics");
  CHECK(make_request("GET", "http://host", {}, "").path == "/");
}
