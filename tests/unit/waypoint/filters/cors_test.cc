#include "waypoint/filters/cors.h"

#include <doctest/doctest.h>

namespace aquifer::waypoint {
namespace {

struct Asked {
  model::Snapshot snapshot;
  Downstream downstream;
  l7::Route route;
  http::RequestHead request;
  RequestRecord record;
  HeaderFields answer_fields;
  std::optional<LocalReply> apply(const l7::Cors& cors) {
    FilterContext context{.snapshot = snapshot,
                          .downstream = downstream,
                          .route = route,
                          .request = request,
                          .record = record,
                          .answer_fields = answer_fields};
    return apply_cors(context, cors);
  }
};

Asked preflight(std::string origin) {
  Asked asked;
  asked.request.method = "OPTIONS";
  asked.request.fields = {{"origin", origin}, {"access-control-request-method", "PUT"}};
  return asked;
}

l7::Cors good() {
  l7::Cors cors;
  cors.origins = {l7::TextPattern::exact("https://good.test")};
  cors.methods = {"GET", "PUT"};
  cors.headers = {"*"};
  cors.max_age = std::chrono::seconds(60);
  return cors;
}

TEST_CASE("a preflight of an allowed origin is answered with what is allowed") {
  Asked asked = preflight("https://good.test");
  const auto reply = asked.apply(good());
  REQUIRE(reply.has_value());
  CHECK(reply->status == 200);
  CHECK(reply->fields.find("access-control-allow-origin") == "https://good.test");
  CHECK(reply->fields.find("access-control-allow-methods") == "GET,PUT");
  CHECK(reply->fields.find("access-control-allow-headers") == "*");
  CHECK(reply->fields.find("access-control-max-age") == "60");
  CHECK_FALSE(reply->fields.contains("access-control-allow-credentials"));
}

TEST_CASE("with credentials a wildcard becomes what was asked for") {
  Asked asked = preflight("https://good.test");
  asked.request.fields.add("access-control-request-headers", "x-one,x-two");
  l7::Cors cors = good();
  cors.credentials = true;
  cors.methods = {"*"};
  const auto reply = asked.apply(cors);
  REQUIRE(reply.has_value());
  CHECK(reply->fields.find("access-control-allow-methods") == "PUT");
  CHECK(reply->fields.find("access-control-allow-headers") == "x-one,x-two");
  CHECK(reply->fields.find("access-control-allow-credentials") == "true");
}

TEST_CASE("a preflight of another origin is told nothing, or goes on where that was asked for") {
  Asked asked = preflight("https://bad.test");
  l7::Cors cors = good();
  const auto reply = asked.apply(cors);
  REQUIRE(reply.has_value());
  CHECK_FALSE(reply->fields.contains("access-control-allow-origin"));
  cors.forward_unmatched_preflights = true;
  CHECK_FALSE(asked.apply(cors).has_value());
}

TEST_CASE("an ordinary request goes on, and its answer is marked for an allowed origin only") {
  for (const bool allowed : {true, false}) {
    Asked asked;
    asked.request.method = "GET";
    asked.request.fields = {{"origin", allowed ? "https://good.test" : "https://bad.test"}};
    CHECK_FALSE(asked.apply(good()).has_value());
    CHECK(asked.answer_fields.contains("access-control-allow-origin") == allowed);
    CHECK(asked.answer_fields.contains("vary") == allowed);
  }
  Asked none;
  none.request.method = "GET";
  CHECK_FALSE(none.apply(good()).has_value());
  CHECK(none.answer_fields.empty());
}

}  // namespace
}  // namespace aquifer::waypoint
