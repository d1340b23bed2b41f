// What a decision looks at: the index files rules by what they ask for, so that their number does
// not matter. Counted, not timed.
#include "tests/unit/config/model/policy_text.h"

#include <doctest/doctest.h>

namespace aquifer::model {
namespace {

using namespace test;

std::size_t unfiled(const std::string& rules) {
  const AuthorizationPolicyPtr policy = policy_of({"DENY default/p", rules});
  return RuleIndex({policy.get()}).unfiled();
}

TEST_CASE("a rule that asks for some value is filed under it") {
  for (const char* rules :
       {"principal=a", "principal=a*", "principal=*a", "principal=*", "ns=a", "ns=a*", "ns=*a",
        "ns=*", "sa=a/b", "src=10.0.0.0/8", "dst=10.0.0.1", "port=80", "!principal=*", "!ns=*",
        "!ns=a & port=80", "ns=a | port=80", "ns=a !ns=b"}) {
    CAPTURE(rules);
    CHECK(unfiled(rules) == 0);
  }
}

TEST_CASE("a rule that asks only for what must not be is looked at by every connection") {
  for (const char* rules :
       {"true", "()", "!ns=a", "!principal=a*", "!src=10.0.0.0/8", "!port=80", "ns=a | !port=80"}) {
    CAPTURE(rules);
    CHECK(unfiled(rules) == 1);
  }
}

TEST_CASE("a rule that no connection can match is looked at by none") {
  CHECK(unfiled("{}") == 0);
  CHECK(unfiled("{} | {}") == 0);
}

TEST_CASE("a policy is found through each of its values, whatever the index chose") {
  // A crowd on one port makes the index choose the other field.
  std::vector<PolicyText> policies;
  for (int i = 0; i < 200; ++i) {
    policies.push_back({fmt::format("DENY default/p{:03}", i),
                        fmt::format("ns=n{} port=80 | src=10.1.{}.0/24", i, i)});
  }
  const AuthorizationBook book = book_of(policies);
  for (int i = 0; i < 200; ++i) {
    CAPTURE(i);
    Connection by_namespace(fmt::format("n{}/web 10.0.0.9 -> 80", i));
    CHECK(answer_of(authorize(book, by_namespace.get())) ==
          fmt::format("denied by default/p{:03}", i));
    Connection by_address(fmt::format("- 10.1.{}.7 -> 81", i));
    CHECK(answer_of(authorize(book, by_address.get())) ==
          fmt::format("denied by default/p{:03}", i));
    Connection other_port(fmt::format("n{}/web 10.0.0.9 -> 81", i));
    CHECK(answer_of(authorize(book, other_port.get())) == "allowed");
  }
}

TEST_CASE("the first policy by name is found among many that match in different ways") {
  const AuthorizationBook book = book_of({{"DENY default/e", "true"},
                                          {"DENY default/d", "port=80"},
                                          {"DENY default/c", "src=10.0.0.0/8"},
                                          {"DENY default/b", "principal=cluster.local/*"},
                                          {"DENY default/a", "ns=other"}});
  Connection connection("shop/web 10.0.0.9 -> 80");
  CHECK(answer_of(authorize(book, connection.get())) == "denied by default/b");
}

TEST_CASE("a text longer than any identity matches nothing and harms nobody") {
  const std::string endless(100'000, 'x');
  const AuthorizationBook book = book_of(
      {{"DENY default/p", "principal=" + endless + "*"}, {"DENY default/q", "ns=*" + endless}});
  Connection connection("shop/web 10.0.0.9 -> 80");
  CHECK(answer_of(authorize(book, connection.get())) == "allowed");
}

}  // namespace
}  // namespace aquifer::model
