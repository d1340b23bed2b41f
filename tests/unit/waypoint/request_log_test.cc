#include "waypoint/request_log.h"

#include "tests/unit/common/telemetry/captured_log.h"
#include "tests/unit/waypoint/record_fixture.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace aquifer;
using namespace aquifer::waypoint;
using namespace std::chrono_literals;

namespace {

std::string text_of(const RequestRecord& record) {
  std::string out;
  append_text(out, record, 5ms);
  return out;
}

nlohmann::json json_of(const RequestRecord& record) {
  std::string out;
  append_json(out, record, 5ms);
  return nlohmann::json::parse(out);
}

}  // namespace

TEST_CASE("a request's line is Envoy's, as Istio configures it") {
  CHECK(
      text_of(a_record()) ==
      R"([2026-11-26T09:00:00.007Z] "GET /cart?id=7 HTTP/1.1" 200 - via_upstream - "-" 0 135 5 4 )"
      R"("-" "curl/8.0" "84961386-6d84-429d-98bd-c5aee93b5c88" "web.shop" "10.1.1.9:8080" )"
      R"(inbound-vip|80|http|web.shop.svc.cluster.local - 10.96.0.7:80 10.1.0.2:40000 - shop/web.0)");
}

TEST_CASE("what is not known is a dash in text and null in JSON") {
  RequestRecord record = a_record();
  record.cluster = nullptr;
  record.route = nullptr;
  record.upstream_host = SocketAddress();
  record.upstream_service_time.reset();
  record.status = 404;
  record.details = "route_not_found";
  record.flags.set(Flag::no_route);
  CHECK(
      text_of(record) ==
      R"([2026-11-26T09:00:00.007Z] "GET /cart?id=7 HTTP/1.1" 404 NR route_not_found - "-" 0 135 5 - )"
      R"("-" "curl/8.0" "84961386-6d84-429d-98bd-c5aee93b5c88" "web.shop" "-" )"
      R"(- - 10.96.0.7:80 10.1.0.2:40000 - -)");
  const auto json = json_of(record);
  for (const char* name : {"upstream_host", "upstream_cluster", "route_name",
                           "upstream_service_time", "x_forwarded_for", "requested_server_name"}) {
    CAPTURE(name);
    CHECK(json.at(name).is_null());
  }
}

TEST_CASE("a connection that was passed through has Envoy's dashes for a request") {
  RequestRecord record = a_record();
  record.what = RecordOf::connection;
  record.head = {};
  record.status = 0;
  record.details.clear();
  record.route = nullptr;
  record.upstream_service_time.reset();
  record.server_name = "db.shop";
  CHECK(
      text_of(record) ==
      R"([2026-11-26T09:00:00.007Z] "- - -" 0 - - - "-" 0 135 5 - "-" "-" "-" "-" "10.1.1.9:8080" )"
      R"(inbound-vip|80|http|web.shop.svc.cluster.local - 10.96.0.7:80 10.1.0.2:40000 db.shop -)");
}

TEST_CASE("the path of a rewritten request is the client's") {
  RequestRecord record = a_record();
  record.original_path = "/v1/cart";
  CHECK(text_of(record).find(R"("GET /v1/cart HTTP/1.1")") != std::string::npos);
  CHECK(json_of(record).at("path") == "/v1/cart");
}

TEST_CASE("JSON has Istio's names, with numbers as numbers") {
  const auto json = json_of(a_record());
  CHECK(json.at("start_time") == "2026-11-26T09:00:00.007Z");
  CHECK(json.at("method") == "GET");
  CHECK(json.at("path") == "/cart?id=7");
  CHECK(json.at("protocol") == "HTTP/1.1");
  CHECK(json.at("response_code") == 200);
  CHECK(json.at("response_flags") == "-");
  CHECK(json.at("response_code_details") == "via_upstream");
  CHECK(json.at("bytes_sent") == 135);
  CHECK(json.at("duration") == 5);
  CHECK(json.at("upstream_service_time") == 4);
  CHECK(json.at("user_agent") == "curl/8.0");
  CHECK(json.at("request_id") == "84961386-6d84-429d-98bd-c5aee93b5c88");
  CHECK(json.at("authority") == "web.shop");
  CHECK(json.at("upstream_host") == "10.1.1.9:8080");
  CHECK(json.at("downstream_local_address") == "10.96.0.7:80");
  CHECK(json.at("downstream_remote_address") == "10.1.0.2:40000");
  CHECK(json.at("route_name") == "shop/web.0");
  CHECK(json.at("downstream_peer_identity") == "spiffe://cluster.local/ns/front/sa/browser");
  CHECK_FALSE(json.contains("policy_refusal"));
}

TEST_CASE("JSON says which policy refused, and what those on trial would have done") {
  RequestRecord record = a_record();
  record.refusal = "shop/deny: rule 0";
  record.dry_run = "shop/trial would deny";
  record.audited_by = "shop/watch";
  const auto json = json_of(record);
  CHECK(json.at("policy_refusal") == "shop/deny: rule 0");
  CHECK(json.at("policy_dry_run") == "shop/trial would deny");
  CHECK(json.at("policy_audit") == "shop/watch");
}

TEST_CASE("nothing that a client sends can forge a field or a line") {
  RequestRecord record = a_record();
  record.head.path = "/\" 200 - \n[2026-01-01T00:00:00.000Z] \"GET /forged";
  record.head.fields.set("user-agent", "x\" \"y\tz");
  const std::string line = text_of(record);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.find('\t') == std::string::npos);
  CHECK(line.find(R"("GET /\" 200 - \n[)") != std::string::npos);
  CHECK(line.find(R"("x\" \"y\tz")") != std::string::npos);
  std::string json;
  append_json(json, record, 5ms);
  CHECK(json.find('\n') == std::string::npos);
}

TEST_CASE("the line is written without the columns of the log, and only when it is on") {
  {
    CapturedLog log("info,access=off");
    CHECK_FALSE(request_log_enabled());
    log_request(a_record(), 5ms);
    CHECK(log.lines().empty());
  }
  CapturedLog log("info", log::Format::json);
  log_request(a_record(), 5ms);
  const auto lines = log.lines();
  REQUIRE(lines.size() == 1);
  CHECK(nlohmann::json::parse(lines[0]).at("response_code") == 200);
}

TEST_CASE("refusals are denials, flags and 5xx are failures, and the filter goes by the service") {
  RequestRecord record = a_record();
  CHECK(outcome_of(record) == telemetry::Outcome::well);
  CHECK(namespace_of(record) == "shop");
  record.status = 503;
  CHECK(outcome_of(record) == telemetry::Outcome::failed);
  record.status = 403;
  CHECK(outcome_of(record) == telemetry::Outcome::well);  // the application's own
  record.refusal = "shop/deny";
  CHECK(outcome_of(record) == telemetry::Outcome::denied);

  telemetry::set_access_filter(*telemetry::AccessFilter::parse("shop:denied"));
  CapturedLog log("info", log::Format::json);
  log_request(a_record(), 5ms);
  log_request(std::move(record), 5ms);
  CHECK(log.lines().size() == 1);
  telemetry::set_access_filter({});
}
