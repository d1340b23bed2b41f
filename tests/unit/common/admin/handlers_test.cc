#include "common/admin/handlers.h"

#include "common/base/log.h"
#include "tests/unit/common/admin/running_server.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::admin;

namespace {

struct Answer {
  int status;
  std::string head;
  std::string body;
};

// Through a real server, so that what a client sees is what is tested.
Answer ask(const Router& router, const std::string& method, const std::string& target,
           const std::string& fields = "") {
  RunningServer server(router);
  std::string response =
      Client(server).ask(method + " " + target + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
  std::size_t end = response.find("\r\n\r\n");
  return {std::stoi(response.substr(9, 3)), response.substr(0, end + 2), response.substr(end + 4)};
}

struct LogFilterRestored {
  log::Filter before = log::filter();
  ~LogFilterRestored() { log::set_filter(before); }
};

}  // namespace

TEST_CASE("readiness answers GET alone, with what is pending") {
  Readiness readiness;
  Router router;
  add_readiness(router, readiness);
  CHECK(ask(router, "GET", "/healthz/ready").body == "ready\n");
  Readiness::Task task = readiness.pending("proxy");
  Answer answer = ask(router, "GET", "/healthz/ready");
  CHECK(answer.status == 500);
  CHECK(answer.body == "not ready, pending: proxy\n");
  CHECK(ask(router, "POST", "/healthz/ready").status == 405);
}

TEST_CASE("metrics come as text, or named OpenMetrics for who asks, under both paths") {
  telemetry::Registry registry;
  telemetry::Counter counter = registry.counter("aquifer_things", "Things.");
  counter.add(3);
  Router router;
  add_metrics(router, registry, [] { return MonoTime(std::chrono::hours(1)); });
  Answer plain = ask(router, "GET", "/metrics");
  CHECK(plain.head.find("Content-Type: text/plain; charset=utf-8\r\n") != std::string::npos);
  CHECK(plain.body.find("aquifer_things_total 3\n") != std::string::npos);
  Answer open = ask(router, "GET", "/stats/prometheus",
                    "Accept: application/openmetrics-text;version=1.0.0\r\n");
  CHECK(open.head.find(
            "Content-Type: application/openmetrics-text;charset=utf-8;version=1.0.0\r\n") !=
        std::string::npos);
  CHECK(open.body == plain.body);
}

TEST_CASE("logging shows, adds to and resets the filter") {
  LogFilterRestored restored;
  log::Filter at_start = *log::Filter::parse("warn,access=off");
  log::set_filter(at_start);
  Router router;
  add_logging(router, at_start);
  CHECK(ask(router, "POST", "/logging").body == "current log level is access=off,warn\n");
  CHECK(ask(router, "POST", "/logging?level=debug").body ==
        "current log level is access=off,debug\n");
  CHECK(ask(router, "POST", "/logging?level=access=info,xds=trace").body ==
        "current log level is access=info,xds=trace,debug\n");
  CHECK(log::enabled(log::Level::trace, "xds"));
  CHECK(ask(router, "POST", "/logging?reset").body == "current log level is access=off,warn\n");
  CHECK(ask(router, "POST", "/logging?reset&level=dns=debug").body ==
        "current log level is access=off,dns=debug,warn\n");
  CHECK_FALSE(log::enabled(log::Level::trace, "xds"));
}

TEST_CASE("a bad level is refused and changes nothing, any method but POST is told how") {
  LogFilterRestored restored;
  log::set_filter(*log::Filter::parse("warn"));
  Router router;
  add_logging(router, log::Filter());
  for (const char* level : {"debgu", "access=loud", "info,access", "=info"}) {
    Answer answer = ask(router, "POST", "/logging?level=" + std::string(level));
    CHECK(answer.status == 400);
    CHECK(answer.body.find("usage: POST /logging") != std::string::npos);
  }
  CHECK(log::filter().to_string() == "warn");
  Answer get = ask(router, "GET", "/logging");
  CHECK(get.status == 405);
  CHECK(get.head.find("Allow: POST\r\n") != std::string::npos);
  CHECK(get.body.find("usage: POST /logging") != std::string::npos);
}

TEST_CASE("quitting needs POST, is answered, and is asked for once per request") {
  int asked = 0;
  Router router;
  add_quit(router, [&asked] { ++asked; });
  CHECK(ask(router, "GET", "/quitquitquit").status == 405);
  CHECK(asked == 0);
  Answer answer = ask(router, "POST", "/quitquitquit");
  CHECK(answer.status == 200);
  CHECK(answer.body == "shutdown now\n");
  CHECK(asked == 1);
}

TEST_CASE("the dump is whatever the program says, as JSON, made for each request") {
  int dumps = 0;
  Router router;
  add_config_dump(router, [&dumps] { return "{\"dumps\":" + std::to_string(++dumps) + "}"; });
  CHECK(ask(router, "GET", "/config_dump").body == "{\"dumps\":1}");
  Answer answer = ask(router, "POST", "/config_dump");
  CHECK(answer.body == "{\"dumps\":2}");
  CHECK(answer.head.find("Content-Type: application/json\r\n") != std::string::npos);
}
