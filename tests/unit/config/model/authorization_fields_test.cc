// Each field of a match and its negation, with and without an identity: worked out from the peer's
// written semantics (reference section j), case by case.
#include "tests/unit/config/model/authorization_cases.h"

#include <doctest/doctest.h>

namespace aquifer::model {
namespace {

using namespace test;

// The rules of one ALLOW policy, and whether a connection matches them.
struct FieldCase {
  const char* rules;
  const char* connection;
  bool matches;
};

void check_fields(const std::vector<FieldCase>& cases) {
  for (const FieldCase& one : cases) {
    CAPTURE(one.rules);
    CAPTURE(one.connection);
    Connection connection(one.connection);
    // An ALLOW and a DENY policy see the same.
    const AuthorizationBook allow = book_of({{"ALLOW default/p", one.rules}});
    CHECK(answer_of(authorize(allow, connection.get())) ==
          (one.matches ? "allowed by default/p" : "none allowed"));
    const AuthorizationBook deny = book_of({{"DENY default/p", one.rules}});
    CHECK(answer_of(authorize(deny, connection.get())) ==
          (one.matches ? "denied by default/p" : "allowed"));
  }
}

TEST_CASE("principals: the SPIFFE id without its scheme, exact, by prefix, by suffix, present") {
  check_fields({
      {"principal=cluster.local/ns/shop/sa/web", "shop/web 10.0.0.9 -> 80", true},
      {"principal=cluster.local/ns/shop/sa/web", "shop/api 10.0.0.9 -> 80", false},
      {"principal=cluster.local/ns/shop/sa/web", "other/web 10.0.0.9 -> 80", false},
      {"principal=cluster.local/ns/shop/sa/web", "td2/ns/shop/sa/web 10.0.0.9 -> 80", false},
      {"principal=cluster.local/ns/shop/sa/web", "shop/web2 10.0.0.9 -> 80", false},
      {"principal=cluster.local/ns/shop/sa/web2", "shop/web 10.0.0.9 -> 80", false},
      {"principal=cluster.local/ns/shop/sa/web", "- 10.0.0.9 -> 80", false},
      {"principal=spiffe://cluster.local/ns/shop/sa/web", "shop/web 10.0.0.9 -> 80", false},
      {"principal=spiffe://*", "shop/web 10.0.0.9 -> 80", false},
      {"principal=Cluster.local/ns/shop/sa/web", "shop/web 10.0.0.9 -> 80", false},
      {"principal=cluster.local/ns/shop/*", "shop/web 10.0.0.9 -> 80", true},
      {"principal=cluster.local/ns/shop/*", "shop2/web 10.0.0.9 -> 80", false},
      {"principal=cluster.local/ns/shop*", "shop2/web 10.0.0.9 -> 80", true},
      {"principal=cluster.local/ns/shop/sa/web*", "shop/web 10.0.0.9 -> 80", true},
      {"principal=cluster.local/ns/shop/sa/webserver*", "shop/web 10.0.0.9 -> 80", false},
      {"principal=cluster.local/*", "- 10.0.0.9 -> 80", false},
      {"principal=*/sa/web", "shop/web 10.0.0.9 -> 80", true},
      {"principal=*/sa/web", "shop/theweb 10.0.0.9 -> 80", false},
      {"principal=*web", "shop/theweb 10.0.0.9 -> 80", true},
      {"principal=*cluster.local/ns/shop/sa/web", "shop/web 10.0.0.9 -> 80", true},
      {"principal=*/ns/shop/sa/web", "td2/ns/shop/sa/web 10.0.0.9 -> 80", true},
      {"principal=*/sa/web", "- 10.0.0.9 -> 80", false},
      {"principal=*", "shop/web 10.0.0.9 -> 80", true},
      {"principal=*", "td2/ns/x/sa/y 10.0.0.9 -> 80", true},
      {"principal=*", "- 10.0.0.9 -> 80", false},
      {"principal=a,cluster.local/ns/shop/sa/web,b", "shop/web 10.0.0.9 -> 80", true},
      {"principal=a,b,c", "shop/web 10.0.0.9 -> 80", false},
      {"principal=a,*/sa/web", "shop/web 10.0.0.9 -> 80", true},
  });
}

TEST_CASE("notPrincipals: none of them; without an identity there is nothing to exclude") {
  check_fields({
      {"!principal=cluster.local/ns/shop/sa/web", "shop/web 10.0.0.9 -> 80", false},
      {"!principal=cluster.local/ns/shop/sa/web", "shop/api 10.0.0.9 -> 80", true},
      {"!principal=cluster.local/ns/shop/sa/web", "- 10.0.0.9 -> 80", true},
      {"!principal=cluster.local/ns/shop/*", "shop/web 10.0.0.9 -> 80", false},
      {"!principal=cluster.local/ns/shop/*", "other/web 10.0.0.9 -> 80", true},
      {"!principal=*/sa/web", "other/web 10.0.0.9 -> 80", false},
      {"!principal=*/sa/web", "other/api 10.0.0.9 -> 80", true},
      {"!principal=*", "shop/web 10.0.0.9 -> 80", false},
      {"!principal=*", "- 10.0.0.9 -> 80", true},
      {"!principal=a,cluster.local/ns/shop/sa/web", "shop/web 10.0.0.9 -> 80", false},
      {"!principal=a,b", "shop/web 10.0.0.9 -> 80", true},
      {"principal=cluster.local/ns/shop/* !principal=*/sa/web", "shop/api 10.0.0.9 -> 80", true},
      {"principal=cluster.local/ns/shop/* !principal=*/sa/web", "shop/web 10.0.0.9 -> 80", false},
      {"principal=cluster.local/ns/shop/* !principal=*/sa/web", "- 10.0.0.9 -> 80", false},
      {"principal=* !principal=*", "shop/web 10.0.0.9 -> 80", false},
      {"principal=* !principal=*", "- 10.0.0.9 -> 80", false},
  });
}

TEST_CASE("namespaces: that of the identity; the empty one without an identity") {
  check_fields({
      {"ns=shop", "shop/web 10.0.0.9 -> 80", true},
      {"ns=shop", "td2/ns/shop/sa/web 10.0.0.9 -> 80", true},
      {"ns=shop", "shop2/web 10.0.0.9 -> 80", false},
      {"ns=shop", "- 10.0.0.9 -> 80", false},
      {"ns=shop*", "shop2/web 10.0.0.9 -> 80", true},
      {"ns=shop*", "myshop/web 10.0.0.9 -> 80", false},
      {"ns=*shop", "myshop/web 10.0.0.9 -> 80", true},
      {"ns=*shop", "shop2/web 10.0.0.9 -> 80", false},
      {"ns=*", "shop/web 10.0.0.9 -> 80", true},
      {"ns=*", "- 10.0.0.9 -> 80", false},
      {"ns=a,shop", "shop/web 10.0.0.9 -> 80", true},
      {"!ns=shop", "shop/web 10.0.0.9 -> 80", false},
      {"!ns=shop", "other/web 10.0.0.9 -> 80", true},
      {"!ns=shop", "- 10.0.0.9 -> 80", true},
      {"!ns=shop*", "shop2/web 10.0.0.9 -> 80", false},
      {"!ns=*shop", "myshop/web 10.0.0.9 -> 80", false},
      {"!ns=*", "shop/web 10.0.0.9 -> 80", false},
      {"!ns=*", "- 10.0.0.9 -> 80", true},
      {"ns=shop* !ns=shop2", "shop1/web 10.0.0.9 -> 80", true},
      {"ns=shop* !ns=shop2", "shop2/web 10.0.0.9 -> 80", false},
  });
}

TEST_CASE("service accounts: namespace and name, whatever the trust domain") {
  check_fields({
      {"sa=shop/web", "shop/web 10.0.0.9 -> 80", true},
      {"sa=shop/web", "td2/ns/shop/sa/web 10.0.0.9 -> 80", true},
      {"sa=shop/web", "shop/api 10.0.0.9 -> 80", false},
      {"sa=shop/web", "other/web 10.0.0.9 -> 80", false},
      {"sa=shop/web", "- 10.0.0.9 -> 80", false},
      {"sa=other/web,shop/web", "shop/web 10.0.0.9 -> 80", true},
      {"!sa=shop/web", "shop/web 10.0.0.9 -> 80", false},
      {"!sa=shop/web", "shop/api 10.0.0.9 -> 80", true},
      {"!sa=shop/web", "- 10.0.0.9 -> 80", true},
      {"ns=shop !sa=shop/web", "shop/api 10.0.0.9 -> 80", true},
      {"ns=shop !sa=shop/web", "shop/web 10.0.0.9 -> 80", false},
  });
}

TEST_CASE("source addresses: networks of both families") {
  check_fields({
      {"src=10.0.0.0/24", "- 10.0.0.9 -> 80", true},
      {"src=10.0.0.0/24", "shop/web 10.0.0.9 -> 80", true},
      {"src=10.0.0.0/24", "- 10.0.1.9 -> 80", false},
      {"src=10.0.0.9", "- 10.0.0.9 -> 80", true},
      {"src=10.0.0.9", "- 10.0.0.8 -> 80", false},
      {"src=10.0.0.0/31", "- 10.0.0.1 -> 80", true},
      {"src=10.0.0.0/31", "- 10.0.0.2 -> 80", false},
      {"src=0.0.0.0/0", "- 203.0.113.1 -> 80", true},
      {"src=0.0.0.0/0", "- fd00::1 -> [fd00::2]:80", false},
      {"src=::/0", "- fd00::1 -> 80", true},
      {"src=::/0", "- 10.0.0.9 -> 80", false},
      {"src=fd00::/16", "- fd00:1::1 -> 80", true},
      {"src=fd00::/16", "- fd01::1 -> 80", false},
      {"src=fd00::1", "- fd00::1 -> 80", true},
      {"src=192.168.0.0/16,10.0.0.0/8", "- 10.1.2.3 -> 80", true},
      {"src=192.168.0.0/16,10.0.0.0/8", "- 172.16.0.1 -> 80", false},
      {"!src=10.0.0.0/24", "- 10.0.0.9 -> 80", false},
      {"!src=10.0.0.0/24", "- 10.0.1.9 -> 80", true},
      {"!src=0.0.0.0/0", "- fd00::1 -> 80", true},
      {"!src=0.0.0.0/0,::/0", "- fd00::1 -> 80", false},
      {"src=10.0.0.0/8 !src=10.0.0.9", "- 10.0.0.8 -> 80", true},
      {"src=10.0.0.0/8 !src=10.0.0.9", "- 10.0.0.9 -> 80", false},
  });
}

TEST_CASE("destination addresses and ports: the pod's own, and the application's") {
  check_fields({
      {"dst=10.0.0.1", "- 10.0.0.9 -> 80", true},
      {"dst=10.0.0.2", "- 10.0.0.9 -> 80", false},
      {"dst=10.0.0.0/24", "- 10.0.0.9 -> 10.0.0.7:80", true},
      {"dst=fd00::/64", "- fd00::9 -> [fd00::1]:80", true},
      {"dst=fd00::/64", "- 10.0.0.9 -> 80", false},
      {"!dst=10.0.0.1", "- 10.0.0.9 -> 80", false},
      {"!dst=10.0.0.2", "- 10.0.0.9 -> 80", true},
      {"port=80", "- 10.0.0.9 -> 80", true},
      {"port=80", "- 10.0.0.9 -> 8080", false},
      {"port=80,8080", "- 10.0.0.9 -> 8080", true},
      {"port=65535", "- 10.0.0.9 -> 65535", true},
      {"port=15008", "- 10.0.0.9 -> 80", false},
      {"!port=80", "- 10.0.0.9 -> 80", false},
      {"!port=80", "- 10.0.0.9 -> 81", true},
      {"!port=80,81", "- 10.0.0.9 -> 81", false},
      {"port=80,81 !port=81", "- 10.0.0.9 -> 81", false},
      {"port=80,81 !port=81", "- 10.0.0.9 -> 80", true},
  });
}

TEST_CASE("all fields of one match must hold together") {
  const char* rules =
      "principal=cluster.local/* ns=shop sa=shop/web src=10.0.0.0/8 dst=10.0.0.1 port=80";
  check_fields({
      {rules, "shop/web 10.0.0.9 -> 80", true},
      {rules, "td2/ns/shop/sa/web 10.0.0.9 -> 80", false},
      {rules, "shop/api 10.0.0.9 -> 80", false},
      {rules, "shop/web 11.0.0.9 -> 80", false},
      {rules, "shop/web 10.0.0.9 -> 10.0.0.2:80", false},
      {rules, "shop/web 10.0.0.9 -> 81", false},
      {rules, "- 10.0.0.9 -> 80", false},
      {"ns=shop port=80", "shop/web 10.0.0.9 -> 80", true},
      {"ns=shop port=80", "shop/web 10.0.0.9 -> 81", false},
      {"!principal=* port=80", "- 10.0.0.9 -> 80", true},
      {"!principal=* port=80", "- 10.0.0.9 -> 81", false},
      {"!principal=* port=80", "shop/web 10.0.0.9 -> 80", false},
      {"!principal=* !port=80", "- 10.0.0.9 -> 80", false},
      {"!principal=* !port=80", "- 10.0.0.9 -> 81", true},
  });
}

TEST_CASE("rules are alternatives, clauses are demands, matches are alternatives") {
  check_fields({
      {"", "shop/web 10.0.0.9 -> 80", false},
      {"true", "- 10.0.0.9 -> 80", true},
      {"true", "shop/web 10.0.0.9 -> 80", true},
      {"()", "- 10.0.0.9 -> 80", true},
      {"() & ()", "- 10.0.0.9 -> 80", true},
      {"{}", "shop/web 10.0.0.9 -> 80", false},
      {"{} | {}", "shop/web 10.0.0.9 -> 80", false},
      {"{} | ns=shop", "shop/web 10.0.0.9 -> 80", true},
      {"{} & ns=shop", "shop/web 10.0.0.9 -> 80", false},
      {"() & ns=shop", "shop/web 10.0.0.9 -> 80", true},
      {"() & ns=other", "shop/web 10.0.0.9 -> 80", false},
      {"{} ; true", "shop/web 10.0.0.9 -> 80", true},
      {"ns=other ; ns=shop", "shop/web 10.0.0.9 -> 80", true},
      {"ns=other ; ns=more", "shop/web 10.0.0.9 -> 80", false},
      {"ns=shop & port=80", "shop/web 10.0.0.9 -> 80", true},
      {"ns=shop & port=81", "shop/web 10.0.0.9 -> 80", false},
      {"ns=other & port=80", "shop/web 10.0.0.9 -> 80", false},
      {"ns=shop & port=80 & src=10.0.0.0/8", "shop/web 10.0.0.9 -> 80", true},
      {"ns=shop & port=80 & src=11.0.0.0/8", "shop/web 10.0.0.9 -> 80", false},
      {"ns=other | ns=shop", "shop/web 10.0.0.9 -> 80", true},
      {"ns=other port=80 | ns=shop port=81", "shop/web 10.0.0.9 -> 80", false},
      {"ns=other | ns=shop & port=79 | port=80", "shop/web 10.0.0.9 -> 80", true},
      {"ns=shop & ns=other", "shop/web 10.0.0.9 -> 80", false},
      {"principal=*/sa/web & !principal=cluster.local/ns/shop/*", "shop/web 10.0.0.9 -> 80", false},
      {"principal=*/sa/web & !principal=cluster.local/ns/shop/*", "other/web 10.0.0.9 -> 80", true},
  });
}

}  // namespace
}  // namespace aquifer::model
