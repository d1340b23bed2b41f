#include "waypoint/seen_request.h"

#include "tests/unit/waypoint/record_fixture.h"
#include "waypoint/flows_command.h"
#include "waypoint/live_requests.h"
#include "waypoint/refusals.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <vector>

using namespace aquifer;
using namespace aquifer::waypoint;
using namespace std::chrono_literals;

namespace {

SeenRequest seen_of(const RequestRecord& record) {
  return see(record, &record.head, record.started + 1'500ms);
}

}  // namespace

TEST_CASE("a live request says who asked what of whom, and where it stands") {
  RequestRecord record = a_record();
  record.phase = Phase::waiting;
  record.status = 0;
  const auto json = to_json(seen_of(record));
  CHECK(json.at("event") == "live");
  CHECK(json.at("phase") == "waiting");
  CHECK(json.at("method") == "GET");
  CHECK(json.at("path") == "/cart?id=7");
  CHECK(json.at("authority") == "web.shop");
  CHECK(json.at("service") == "web.shop.svc.cluster.local");
  CHECK(json.at("source").at("workload") == "browser-0");
  CHECK(json.at("source").at("identity") == "spiffe://cluster.local/ns/front/sa/browser");
  CHECK(json.at("destination").at("address") == "10.1.1.9:8080");
  CHECK(json.at("route") == "shop/web.0");
  CHECK(json.at("ageMs") == 1'500);
  CHECK_FALSE(json.contains("status"));
  CHECK_FALSE(json.contains("flags"));
}

TEST_CASE("an identity that nobody proved is not claimed") {
  RequestRecord record = a_record();
  auto downstream = a_downstream();
  downstream->identity = {};
  record.downstream = std::move(downstream);
  CHECK_FALSE(to_json(seen_of(record)).at("source").contains("identity"));
}

TEST_CASE("what a client sent is cut, whatever its length") {
  RequestRecord record = a_record();
  record.head.path = "/" + std::string(100'000, 'x');
  record.head.authority = std::string(10'000, 'y');
  const std::string text = to_json(seen_of(record)).dump();
  CHECK(text.size() < 2'000);
}

TEST_CASE("an end is a refusal, a failure or an answer") {
  RequestRecord record = a_record();
  CHECK(end_of(record) == RequestEvent::answered);
  record.flags.set(Flag::upstream_timeout);
  CHECK(end_of(record) == RequestEvent::failed);
  record.refusal = "shop/deny";
  CHECK(end_of(record) == RequestEvent::refused);
}

TEST_CASE("of refusals the last are kept") {
  Refusals refusals;
  for (std::size_t i = 0; i < Refusals::kKeptMax + 3; ++i) {
    SeenRequest seen;
    seen.status = static_cast<int>(i);
    refusals.add(std::move(seen));
  }
  CHECK(refusals.kept().size() == Refusals::kKeptMax);
  CHECK(refusals.kept().front().status == 3);
}

TEST_CASE("live requests are listed while they live") {
  LiveRequests list;
  const RequestRecord one = a_record();
  const RequestRecord other = a_record();
  const auto listed = [&list] {
    std::vector<const RequestRecord*> found;
    list.for_each([&](const LiveRequest& live) { found.push_back(&live.record()); });
    return found;
  };
  {
    const LiveRequest first(list, one, &one.head);
    {
      const LiveRequest second(list, other, nullptr);
      CHECK(listed() == std::vector{&other, &one});
    }
    CHECK(listed() == std::vector{&one});
    CHECK(list.size() == 1);
  }
  CHECK(listed().empty());
}

TEST_CASE("a row for people says the result, the endpoint, the client, and why") {
  RequestRecord record = a_record();
  record.status = 403;
  record.details = "rbac_access_denied";
  record.refusal = "shop/deny: rule 0";
  SeenRequest seen = seen_of(record);
  seen.event = end_of(record);
  const std::string row = flow_row(to_json(seen).dump());
  for (const char* part : {"refused", "GET web.shop/cart?id=7", "403", "shop/web-0", "shop/web.0",
                           "1.5 s", "cluster.local/ns/front/sa/browser", "shop/deny: rule 0"}) {
    CAPTURE(part);
    CHECK(row.find(part) != std::string::npos);
  }
}

TEST_CASE("nothing that a peer says steers the terminal") {
  RequestRecord record = a_record();
  record.head.path = "/\x1b[31mred\n";
  const std::string row = flow_row(to_json(seen_of(record)).dump());
  CHECK(row.find('\x1b') == std::string::npos);
  CHECK(row.find('\n') == std::string::npos);
  CHECK(flow_row("\x1b[2J") == "?[2J");
}

TEST_CASE("losing events is said, and not shown as one") {
  CHECK(flow_row(R"({"event":"lost","lost":7,"ends":true})") ==
        "... 7 events were lost: the reader was too slow, and is cut off");
}
