#include "common/telemetry/connection_record.h"

#include "tests/unit/common/telemetry/captured_log.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::telemetry;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  Registry registry;
  TrafficMetrics metrics{registry};
  MonoTime start{1h};

  ConnectionRecord open(Reporter reporter, Direction direction) {
    TrafficLabels labels;
    labels.reporter = reporter;
    labels.security_policy = SecurityPolicy::mutual_tls;
    ConnectionLog log;
    log.direction = direction;
    return {metrics, metrics.resolve(labels), std::make_shared<const ConnectionLog>(log),
            SocketAddress{IpAddress::loopback_v4(), 4000}, start};
  }
  // The value on the one line of `metric` with `label`; 0 if there is none.
  std::uint64_t value(std::string_view metric, std::string_view label) {
    std::string text = registry.render(start);
    std::string prefix = "\n" + std::string(metric) + "{";
    for (std::size_t at = text.find(prefix); at != std::string::npos;
         at = text.find(prefix, at + 1)) {
      std::string line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
      if (line.find(label) != std::string::npos) return std::stoull(line.substr(line.rfind(' ')));
    }
    return 0;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a connection counts its opening at once and its bytes as they pass") {
  CapturedLog log("off");
  ConnectionRecord record = open(Reporter::source, Direction::outbound);
  CHECK(value("istio_tcp_connections_opened_total", R"(response_flags="-")") == 1);
  record.from_client(11);
  record.to_client(22);
  CHECK(value("istio_tcp_received_bytes_total", R"(reporter="source")") == 11);
  CHECK(value("istio_tcp_sent_bytes_total", R"(reporter="source")") == 22);
  CHECK(value("istio_tcp_connections_closed_total", "") == 0);
  record.succeed(start + 5ms);
  CHECK(value("istio_tcp_connections_closed_total", R"(response_flags="-")") == 1);
  CHECK(value("istio_tcp_connections_failed_total", "") == 0);
}

TEST_CASE_FIXTURE(Fixture, "outbound logs the client's bytes as sent") {
  CapturedLog log("info");
  ConnectionRecord record = open(Reporter::source, Direction::outbound);
  record.from_client(11);
  record.to_client(22);
  record.succeed(start + 5ms);
  CHECK(log.lines()[0].ends_with(
      R"(direction="outbound" bytes_sent=11 bytes_recv=22 duration="5ms")"));
}

TEST_CASE_FIXTURE(Fixture,
                  "inbound logs the mirrored numbers while its metrics keep the client's view") {
  CapturedLog log("info");
  ConnectionRecord record = open(Reporter::destination, Direction::inbound);
  record.from_client(11);
  record.to_client(22);
  record.succeed(start + 5ms);
  CHECK(log.lines()[0].ends_with(
      R"(direction="inbound" bytes_sent=22 bytes_recv=11 duration="5ms")"));
  CHECK(value("istio_tcp_received_bytes_total", R"(reporter="destination")") == 11);
  CHECK(value("istio_tcp_sent_bytes_total", R"(reporter="destination")") == 22);
}

TEST_CASE_FIXTURE(Fixture, "a failure is closed and failed under its flag, opened without one") {
  CapturedLog log("info");
  ConnectionRecord record = open(Reporter::destination, Direction::inbound);
  record.fail(start + 1ms, ResponseFlag::deny,
              "connection closed due to policy rejection: allow policies exist");
  CHECK(value("istio_tcp_connections_opened_total", R"(response_flags="-")") == 1);
  CHECK(value("istio_tcp_connections_opened_total", R"(response_flags="DENY")") == 0);
  CHECK(value("istio_tcp_connections_closed_total", R"(response_flags="-")") == 0);
  CHECK(value("istio_tcp_connections_closed_total", R"(response_flags="DENY")") == 1);
  CHECK(value("istio_tcp_connections_failed_total", R"(response_flags="DENY")") == 1);
  std::vector<std::string> lines = log.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with("error\taccess\t"));
  CHECK(lines[0].ends_with(
      R"(error="connection closed due to policy rejection: allow policies exist")"));
}

TEST_CASE_FIXTURE(Fixture, "a connection that ends without a word was drained") {
  CapturedLog log("info");
  {
    ConnectionRecord record = open(Reporter::source, Direction::outbound);
  }
  CHECK(log.lines()[0].ends_with(R"(error="connection closed due to connection drain")"));
  CHECK(value("istio_tcp_connections_failed_total", R"(response_flags="CONNECT")") == 1);
}

TEST_CASE_FIXTURE(Fixture, "a moved record is told once") {
  CapturedLog log("info");
  {
    ConnectionRecord first = open(Reporter::source, Direction::outbound);
    ConnectionRecord second = std::move(first);
    second.succeed(start);
  }
  CHECK(log.lines().size() == 1);
  CHECK(value("istio_tcp_connections_closed_total", "") == 1);
}
