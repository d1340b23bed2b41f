// The decision in words: what each policy said, and what would have had to be different.
#include "config/model/authorization_trace.h"

#include "tests/unit/config/model/policy_text.h"

#include <doctest/doctest.h>

namespace aquifer::model {
namespace {

using namespace test;

AuthorizationTrace trace_of(const std::vector<PolicyText>& policies, const char* connection,
                            std::vector<std::string> selected = {}) {
  const AuthorizationBook book = book_of(policies);
  Connection one(connection, std::move(selected));
  return trace_authorization(book, one.get());
}

struct MissCase {
  const char* what;
  std::vector<PolicyText> policies;
  const char* connection;
  const char* miss;
};

TEST_CASE("the nearest miss of a connection that no ALLOW policy allows") {
  const std::vector<MissCase> cases{
      {"another principal",
       {{"ALLOW default/a", "principal=cluster.local/ns/shop/sa/web"}},
       "shop/api 10.0.0.9 -> 80",
       "would pass if the principal were cluster.local/ns/shop/sa/web"},
      {"any of a few principals",
       {{"ALLOW default/a", "principal=cluster.local/ns/shop/sa/web,cluster.local/ns/shop/sa/b"}},
       "shop/api 10.0.0.9 -> 80",
       "would pass if the principal were cluster.local/ns/shop/sa/web or "
       "cluster.local/ns/shop/sa/b"},
      {"another port",
       {{"ALLOW default/a", "ns=shop & port=8080"}},
       "shop/web 10.0.0.9 -> 80",
       "would pass if the port were 8080"},
      {"another namespace",
       {{"ALLOW default/a", "ns=shop"}},
       "other/web 10.0.0.9 -> 80",
       "would pass if the source namespace were shop"},
      {"another address",
       {{"ALLOW default/a", "src=10.1.0.0/16"}},
       "- 10.0.0.9 -> 80",
       "would pass if the source address were 10.1.0.0/16"},
      {"an identity at all",
       {{"ALLOW default/a", "principal=*"}},
       "- 10.0.0.9 -> 80",
       "would pass if the client proved an identity (mutual TLS)"},
      {"a prefix",
       {{"ALLOW default/a", "principal=cluster.local/ns/shop/*"}},
       "other/web 10.0.0.9 -> 80",
       "would pass if the principal were cluster.local/ns/shop/*"},
      {"a suffix",
       {{"ALLOW default/a", "principal=*/sa/web"}},
       "shop/api 10.0.0.9 -> 80",
       "would pass if the principal were */sa/web"},
      {"an exclusion",
       {{"ALLOW default/a", "ns=shop !sa=shop/web"}},
       "shop/web 10.0.0.9 -> 80",
       "would pass if the service account were not shop/web"},
      {"two things at once",
       {{"ALLOW default/a", "ns=shop & port=8080"}},
       "other/web 10.0.0.9 -> 80",
       "would pass if the source namespace were shop and the port were 8080"},
      {"the nearer of two rules",
       {{"ALLOW default/a", "ns=x & port=1 ; ns=shop & port=8080"}},
       "shop/web 10.0.0.9 -> 80",
       "would pass if the port were 8080"},
      {"the nearer of two policies",
       {{"ALLOW default/a", "ns=x port=1"}, {"ALLOW default/b", "ns=other"}},
       "shop/web 10.0.0.9 -> 80",
       "would pass if the source namespace were other"},
      {"the nearer alternative of a clause",
       {{"ALLOW default/a", "ns=x port=1 | ns=shop port=81"}},
       "shop/web 10.0.0.9 -> 80",
       "would pass if the port were 81"},
      {"nothing, when an ALLOW has no rules",
       {{"ALLOW default/a", ""}},
       "shop/web 10.0.0.9 -> 80",
       ""},
      {"nothing, when nothing in it can be checked",
       {{"ALLOW default/a", "{}"}},
       "shop/web 10.0.0.9 -> 80",
       ""},
      {"nothing that contradicts itself: no principal of a is in namespace b",
       {{"ALLOW default/a", "principal=cluster.local/ns/a/sa/x & ns=b"}},
       "b/x 10.0.0.9 -> 80",
       ""},
      {"no principal is written with spiffe://",
       {{"ALLOW default/a", "principal=spiffe://cluster.local/ns/shop/sa/web"}},
       "shop/web 10.0.0.9 -> 80",
       ""},
      {"not a change that a DENY forbids: the next nearest",
       {{"ALLOW default/a", "ns=a ; ns=b & port=8080"}, {"DENY default/d", "ns=a"}},
       "shop/web 10.0.0.9 -> 80",
       "would pass if the source namespace were b and the port were 8080"},
      {"an ALLOW on trial is no way in",
       {{"ALLOW default/a dry-run", "ns=shop"}, {"ALLOW default/b", "ns=b"}},
       "shop/web 10.0.0.9 -> 80",
       "would pass if the source namespace were b"},
  };
  for (const MissCase& one : cases) {
    CAPTURE(one.what);
    CHECK(trace_of(one.policies, one.connection).nearest_miss == one.miss);
  }
}

TEST_CASE("the nearest miss of a connection that a DENY policy denies") {
  const std::vector<MissCase> cases{
      {"strict mutual TLS",
       {{"DENY default/d", "!principal=*"}},
       "- 10.0.0.9 -> 80",
       "would pass if the client proved an identity (mutual TLS)"},
      {"strict on one port",
       {{"DENY default/d", "!principal=* port=80"}},
       "- 10.0.0.9 -> 80",
       "would pass if the client proved an identity (mutual TLS)"},
      {"the principal",
       {{"DENY default/d", "principal=cluster.local/ns/shop/sa/web"}},
       "shop/web 10.0.0.9 -> 80",
       "would pass if the principal were not cluster.local/ns/shop/sa/web"},
      {"the namespace",
       {{"DENY default/d", "ns=outside"}},
       "outside/web 10.0.0.9 -> 80",
       "would pass if the source namespace were not outside"},
      {"all namespaces but one",
       {{"DENY default/d", "!ns=shop"}},
       "other/web 10.0.0.9 -> 80",
       "would pass if the source namespace were shop"},
      {"the port",
       {{"DENY default/d", "port=80"}},
       "shop/web 10.0.0.9 -> 80",
       "would pass if the port were not 80"},
      {"the address",
       {{"DENY default/d", "src=10.0.0.0/8"}},
       "- 10.0.0.9 -> 80",
       "would pass if the source address were not 10.0.0.0/8"},
      {"nothing, when everything is denied",
       {{"DENY default/d", "true"}},
       "shop/web 10.0.0.9 -> 80",
       ""},
      {"what no other DENY denies",
       {{"DENY default/d", "ns=outside port=80"}, {"DENY default/e", "port=80"}},
       "outside/web 10.0.0.9 -> 80",
       "would pass if the port were not 80"},
      {"an ALLOW that stands behind it counts as well",
       {{"DENY default/d", "ns=outside"}, {"ALLOW default/a", "ns=shop port=80"}},
       "outside/web 10.0.0.9 -> 80",
       "would pass if the source namespace were shop"},
  };
  for (const MissCase& one : cases) {
    CAPTURE(one.what);
    CHECK(trace_of(one.policies, one.connection).nearest_miss == one.miss);
  }
}

TEST_CASE("a connection that passes has no nearest miss") {
  CHECK(trace_of({}, "- 10.0.0.9 -> 80").nearest_miss.empty());
  CHECK(trace_of({{"ALLOW default/a", "true"}}, "- 10.0.0.9 -> 80").nearest_miss.empty());
}

TEST_CASE("every policy that counts is listed, DENY first, each with what it said") {
  const AuthorizationTrace trace =
      trace_of({{"ALLOW default/a", "ns=x ; ns=shop & port=80"},
                {"DENY istio-system/z global", "ns=y"},
                {"DENY default/s selector", "src=11.0.0.0/8"},
                {"DENY default/t selector", "true"},
                {"DENY other/o", "true"},
                {"ALLOW default/empty dry-run", ""}},
               "shop/web 10.0.0.9 -> 80", {"default/s", "default/gone"});
  std::vector<std::string> lines;
  for (const PolicyTrace& one : trace.policies) {
    lines.push_back(
        fmt::format("{} {}: {}", one.policy->key(), one.matched ? "yes" : "no", one.why));
  }
  CHECK(lines ==
        std::vector<std::string>{
            "default/s no: rules[0].from does not match: the source address is 10.0.0.9, not "
            "11.0.0.0/8",
            "istio-system/z no: rules[0].from does not match: the source namespace is shop, not y",
            "default/a yes: rules[1].from matches namespaces shop, rules[1].to matches ports 80",
            "default/empty no: it has no rules, so it matches nothing",
        });
  CHECK(trace.missing == std::vector<std::string>{"default/gone"});
  CHECK(answer_of(trace.verdict) == "allowed by default/a");
}

TEST_CASE("what a policy says of plaintext and of exclusions reads as a sentence") {
  const auto why = [](const char* rules, const char* connection) {
    return trace_of({{"DENY default/d", rules}}, connection).policies.at(0).why;
  };
  CHECK(why("ns=shop", "- 10.0.0.9 -> 80") ==
        "rules[0].from does not match: the client proved no identity (plaintext), and the source "
        "namespace must be shop");
  CHECK(why("!principal=*/sa/web", "shop/web 10.0.0.9 -> 80") ==
        "rules[0].from does not match: the principal is cluster.local/ns/shop/sa/web, and must not "
        "be */sa/web");
  CHECK(why("dst=10.0.0.1", "- 10.0.0.9 -> 80") ==
        "rules[0].when matches destination addresses 10.0.0.1/32");
  CHECK(why("true", "- 10.0.0.9 -> 80") == "rules[0] matches every connection");
  CHECK(why("{}", "- 10.0.0.9 -> 80") == "rules[0].from can match no connection");
  CHECK(why("port=1,2,3,4,5,6", "- 10.0.0.9 -> 80") ==
        "rules[0].to does not match: the port is 80, not 1, 2, 3, 4 or one of 2 more");
}

TEST_CASE("a budget of rules bounds the search for the nearest miss") {
  std::string rules;
  for (int i = 0; i < 50; ++i) rules += fmt::format("ns=x{} port=1 ; ", i);
  const AuthorizationBook book = book_of({{"ALLOW default/a", rules + "ns=y"}});
  Connection connection("shop/web 10.0.0.9 -> 80");
  const AuthorizationVerdict verdict = authorize(book, connection.get());
  CHECK(nearest_miss(book, connection.get(), verdict) ==
        "would pass if the source namespace were y");
  CHECK(nearest_miss(book, connection.get(), verdict, {.rules = 10}) ==
        "would pass if the port were 1 and the source namespace were x0");
  CHECK(nearest_miss(book, connection.get(), verdict, {.trials = 0}).empty());
}

}  // namespace
}  // namespace aquifer::model
