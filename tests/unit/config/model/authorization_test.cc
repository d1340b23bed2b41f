// Which policies count, and in which order: worked out from the peer's written semantics (reference
// section j), case by case.
#include "tests/unit/config/model/policy_text.h"

#include <doctest/doctest.h>

namespace aquifer::model {
namespace {

using namespace test;

void check(const std::vector<AuthorizationCase>& cases) {
  for (const AuthorizationCase& one : cases) {
    CAPTURE(one.what);
    const AuthorizationBook book = book_of(one.policies);
    Connection connection(one.connection, one.selected);
    CHECK(answer_of(authorize(book, connection.get())) == one.answer);
  }
}

TEST_CASE("the order: DENY, then whether there is any ALLOW, then ALLOW") {
  check({
      {"no policies at all", {}, "shop/web 10.0.0.9 -> 80", "allowed"},
      {"no policies, plaintext", {}, "- 10.0.0.9 -> 80", "allowed"},
      {"a DENY that matches",
       {{"DENY default/d", "ns=shop"}},
       "shop/web 10.0.0.9 -> 80",
       "denied by default/d"},
      {"a DENY that does not match leaves it open",
       {{"DENY default/d", "ns=other"}},
       "shop/web 10.0.0.9 -> 80",
       "allowed"},
      {"an ALLOW that matches",
       {{"ALLOW default/a", "ns=shop"}},
       "shop/web 10.0.0.9 -> 80",
       "allowed by default/a"},
      {"an ALLOW that does not match closes everything",
       {{"ALLOW default/a", "ns=other"}},
       "shop/web 10.0.0.9 -> 80",
       "none allowed"},
      {"DENY wins over ALLOW",
       {{"ALLOW default/a", "ns=shop"}, {"DENY default/d", "ns=shop"}},
       "shop/web 10.0.0.9 -> 80",
       "denied by default/d"},
      {"DENY wins over an ALLOW that allows everything",
       {{"ALLOW default/a", "true"}, {"DENY default/d", "port=80"}},
       "shop/web 10.0.0.9 -> 80",
       "denied by default/d"},
      {"one ALLOW of two is enough",
       {{"ALLOW default/a", "ns=other"}, {"ALLOW default/b", "ns=shop"}},
       "shop/web 10.0.0.9 -> 80",
       "allowed by default/b"},
      {"a DENY that does not match does not count as an ALLOW policy",
       {{"DENY default/d", "ns=other"}, {"ALLOW default/a", "ns=other"}},
       "shop/web 10.0.0.9 -> 80",
       "none allowed"},
      {"of several DENY the first by name is said",
       {{"DENY default/z", "ns=shop"}, {"DENY default/b", "ns=shop"}, {"DENY default/c", "true"}},
       "shop/web 10.0.0.9 -> 80",
       "denied by default/b"},
  });
}

}  // namespace
}  // namespace aquifer::model
