// Which policies count, and in which order: worked out from the peer's written semantics (reference
// section j), case by case. The fields have a file of their own.
#include "tests/unit/config/model/authorization_cases.h"

#include <doctest/doctest.h>

namespace aquifer::model {
namespace {

using namespace test;

constexpr const char* kWeb = "shop/web 10.0.0.9 -> 80";
constexpr const char* kPlain = "- 10.0.0.9 -> 80";

TEST_CASE("the order: DENY, then whether there is any ALLOW, then ALLOW") {
  check_cases({
      {"no policies at all", {}, kWeb, "allowed"},
      {"no policies, plaintext", {}, kPlain, "allowed"},
      {"a DENY that matches", {{"DENY default/d", "ns=shop"}}, kWeb, "denied by default/d"},
      {"a DENY that does not match", {{"DENY default/d", "ns=other"}}, kWeb, "allowed"},
      {"an ALLOW that matches", {{"ALLOW default/a", "ns=shop"}}, kWeb, "allowed by default/a"},
      {"an ALLOW that does not match closes everything",
       {{"ALLOW default/a", "ns=other"}},
       kWeb,
       "none allowed"},
      {"and for plaintext", {{"ALLOW default/a", "ns=shop"}}, kPlain, "none allowed"},
      {"DENY wins over ALLOW",
       {{"ALLOW default/a", "ns=shop"}, {"DENY default/d", "ns=shop"}},
       kWeb,
       "denied by default/d"},
      {"DENY wins over an ALLOW of everything",
       {{"ALLOW default/a", "true"}, {"DENY default/d", "port=80"}},
       kWeb,
       "denied by default/d"},
      {"one ALLOW of two is enough",
       {{"ALLOW default/a", "ns=other"}, {"ALLOW default/b", "ns=shop"}},
       kWeb,
       "allowed by default/b"},
      {"a DENY that does not match is no ALLOW",
       {{"DENY default/d", "ns=other"}, {"ALLOW default/a", "ns=other"}},
       kWeb,
       "none allowed"},
      {"a DENY alone needs no ALLOW beside it",
       {{"DENY default/d", "ns=other"}, {"DENY default/e", "port=81"}},
       kWeb,
       "allowed"},
      {"of several DENY the first by name is said",
       {{"DENY default/z", "ns=shop"}, {"DENY default/b", "ns=shop"}, {"DENY default/c", "true"}},
       kWeb,
       "denied by default/b"},
      {"of several ALLOW the first by name that matches is said",
       {{"ALLOW default/z", "true"}, {"ALLOW default/b", "ns=shop"}, {"ALLOW default/a", "port=1"}},
       kWeb,
       "allowed by default/b"},
  });
}

TEST_CASE("policies without rules: an ALLOW closes everything, a DENY does nothing") {
  check_cases({
      {"ALLOW without rules", {{"ALLOW default/a", ""}}, kWeb, "none allowed"},
      {"ALLOW without rules, plaintext", {{"ALLOW default/a", ""}}, kPlain, "none allowed"},
      {"DENY without rules", {{"DENY default/d", ""}}, kWeb, "allowed"},
      {"ALLOW without rules beside one that matches",
       {{"ALLOW default/a", ""}, {"ALLOW default/b", "ns=shop"}},
       kWeb,
       "allowed by default/b"},
      {"ALLOW with a rule for everything",
       {{"ALLOW default/a", "true"}},
       kPlain,
       "allowed by default/a"},
      {"DENY with a rule for everything",
       {{"DENY default/d", "true"}},
       kWeb,
       "denied by default/d"},
      {"an ALLOW of which nothing can be checked is left closed",
       {{"ALLOW default/a", "{}"}},
       kWeb,
       "none allowed"},
  });
}

TEST_CASE("scopes: the mesh, the workload's namespace, the workloads whose record names it") {
  check_cases({
      {"a global DENY", {{"DENY istio-system/d global", "true"}}, kWeb, "denied by istio-system/d"},
      {"a global ALLOW closes", {{"ALLOW istio-system/a global", "ns=x"}}, kWeb, "none allowed"},
      {"global and namespace policies count together",
       {{"ALLOW istio-system/a global", "ns=x"}, {"ALLOW default/b", "ns=shop"}},
       kWeb,
       "allowed by default/b"},
      {"a global DENY wins over an ALLOW of the namespace",
       {{"DENY istio-system/d global", "ns=shop"}, {"ALLOW default/a", "true"}},
       kWeb,
       "denied by istio-system/d"},
      {"the client's namespace does not count", {{"DENY shop/d", "true"}}, kWeb, "allowed"},
      {"another namespace does not count", {{"ALLOW other/a", ""}}, kWeb, "allowed"},
      {"the root namespace's own policy is not global unless it says so",
       {{"DENY istio-system/d", "true"}},
       kWeb,
       "allowed"},
      {"a selector policy that nobody names",
       {{"DENY default/d selector", "true"}},
       kWeb,
       "allowed"},
      {"a selector policy that the record names",
       {{"DENY default/d selector", "true"}},
       kWeb,
       "denied by default/d",
       {"default/d"}},
      {"a selector ALLOW that the record names closes",
       {{"ALLOW default/a selector", "ns=x"}},
       kWeb,
       "none allowed",
       {"default/a"}},
      {"a selector ALLOW that it does not name does not",
       {{"ALLOW default/a selector", "ns=x"}},
       kWeb,
       "allowed",
       {"default/b"}},
      {"one of two is named",
       {{"DENY default/d selector", "true"}, {"DENY default/e selector", "true"}},
       kWeb,
       "denied by default/e",
       {"default/e"}},
      {"a selector policy of the root namespace",
       {{"DENY istio-system/istio_converted_static_strict selector", "!principal=*"}},
       kPlain,
       "denied by istio-system/istio_converted_static_strict",
       {"istio-system/istio_converted_static_strict"}},
      {"the same with an identity",
       {{"DENY istio-system/istio_converted_static_strict selector", "!principal=*"}},
       kWeb,
       "allowed",
       {"istio-system/istio_converted_static_strict"}},
      {"a name that no policy has is skipped",
       {{"ALLOW default/a selector", "ns=x"}},
       kWeb,
       "allowed",
       {"default/gone"}},
      {"a skipped name leaves the others in force",
       {{"DENY default/d selector", "true"}},
       kWeb,
       "denied by default/d",
       {"default/a-gone", "default/d", "x/gone"}},
      {"a name without a slash is skipped",
       {{"DENY default/d selector", "true"}},
       kWeb,
       "allowed",
       {"d"}},
      {"a namespace's policy that a record elsewhere names",
       {{"DENY other/d", "true"}},
       kWeb,
       "denied by other/d",
       {"other/d"}},
      {"that name brings in no other policy of that namespace",
       {{"DENY other/d", "ns=x"}, {"DENY other/e", "true"}, {"ALLOW other/a", ""}},
       kWeb,
       "allowed",
       {"other/d"}},
      {"all three scopes, the first by namespace and name is said",
       {{"DENY istio-system/d global", "true"},
        {"DENY default/e", "true"},
        {"DENY default/d selector", "true"}},
       kWeb,
       "denied by default/d",
       {"default/d"}},
      {"all three scopes of ALLOW, one matches",
       {{"ALLOW istio-system/a global", "ns=x"},
        {"ALLOW default/b", "ns=y"},
        {"ALLOW default/c selector", "ns=shop"}},
       kWeb,
       "allowed by default/c",
       {"default/c"}},
  });
}

TEST_CASE("policies on trial decide nothing") {
  check_cases({
      {"a DENY on trial", {{"DENY default/d dry-run", "true"}}, kWeb, "allowed"},
      {"an ALLOW on trial does not close", {{"ALLOW default/a dry-run", "ns=x"}}, kWeb, "allowed"},
      {"an ALLOW on trial without rules does not close",
       {{"ALLOW default/a dry-run", ""}},
       kWeb,
       "allowed"},
      {"an ALLOW on trial does not open either",
       {{"ALLOW default/a dry-run", "true"}, {"ALLOW default/b", "ns=x"}},
       kWeb,
       "none allowed"},
      {"an enforced DENY beside one on trial is the one that is said",
       {{"DENY default/a dry-run", "true"}, {"DENY default/b", "true"}},
       kWeb,
       "denied by default/b"},
  });
}

struct TrialCase {
  const char* what;
  std::vector<PolicyText> policies;
  /// Names of those that matched, and the answer if they were enforced.
  std::vector<std::string> matched;
  bool allowed;
};

TEST_CASE("what policies on trial would have done is told") {
  const std::vector<TrialCase> cases{
      {"nothing on trial, allowed", {}, {}, true},
      {"nothing on trial, denied", {{"DENY default/d", "true"}}, {}, false},
      {"a DENY that would deny", {{"DENY default/d dry-run", "true"}}, {"d"}, false},
      {"a DENY that would not", {{"DENY default/d dry-run", "ns=x"}}, {}, true},
      {"an ALLOW that would allow", {{"ALLOW default/a dry-run", "ns=shop"}}, {"a"}, true},
      {"an ALLOW that would close", {{"ALLOW default/a dry-run", "ns=x"}}, {}, false},
      {"an ALLOW that would open what is closed",
       {{"ALLOW default/a dry-run", "ns=shop"}, {"ALLOW default/b", "ns=x"}},
       {"a"},
       true},
      {"a DENY on trial against an enforced ALLOW",
       {{"DENY default/d dry-run", "true"}, {"ALLOW default/a", "true"}},
       {"d"},
       false},
      {"an ALLOW on trial that does not match beside an enforced one that does",
       {{"ALLOW default/a dry-run", "ns=x"}, {"ALLOW default/b", "true"}},
       {},
       true},
      {"both",
       {{"DENY default/d dry-run", "true"}, {"ALLOW default/a dry-run", "true"}},
       {"d", "a"},
       false},
      {"an enforced DENY stays one whatever is tried",
       {{"DENY default/d", "true"}, {"ALLOW default/a dry-run", "true"}},
       {"a"},
       false},
  };
  for (const TrialCase& one : cases) {
    CAPTURE(one.what);
    const AuthorizationBook book = book_of(one.policies);
    Connection connection(kWeb);
    const AuthorizationVerdict verdict = authorize(book, connection.get());
    std::vector<std::string> matched;
    for (const auto& policy : verdict.dry_run) matched.push_back(policy->name);
    CHECK(matched == one.matched);
    CHECK(verdict.dry_run_allowed == one.allowed);
  }
}

TEST_CASE("a refusal reads as the peer's log says it") {
  Connection connection(kWeb);
  const AuthorizationBook deny = book_of({{"DENY default/d", "true"}});
  CHECK(authorize(deny, connection.get()).refusal() == "explicitly denied by: default/d");
  const AuthorizationBook allow = book_of({{"ALLOW default/a", ""}});
  CHECK(authorize(allow, connection.get()).refusal() == "allow policies exist, but none allowed");
  CHECK(authorize({}, connection.get()).refusal().empty());
}

TEST_CASE("the rule that decided is told") {
  const AuthorizationBook book = book_of({{"DENY default/d", "ns=x ; port=1 ; port=80 ; true"}});
  Connection connection(kWeb);
  CHECK(authorize(book, connection.get()).rule == 2);
}

TEST_CASE("a book finds its policies by name and knows which names are missing") {
  const AuthorizationBook book = book_of({{"DENY istio-system/g global", "true"},
                                          {"DENY default/n", "true"},
                                          {"DENY default/s selector", "true"}});
  CHECK(book.size() == 3);
  for (const char* key : {"istio-system/g", "default/n", "default/s"}) {
    REQUIRE(book.find(key) != nullptr);
    CHECK(book.find(key)->key() == key);
  }
  for (const char* key : {"", "/", "default", "default/", "default/x", "x/n"}) {
    CHECK(book.find(key) == nullptr);
  }
  Connection connection(kWeb, {"default/s", "default/x", "y/z"});
  CHECK(missing_policies(book, *connection.get().workload) ==
        std::vector<std::string>{"default/x", "y/z"});
}

TEST_CASE("of two policies with one name the first counts, whatever their scopes") {
  const AuthorizationBook book =
      book_of({{"ALLOW default/p", "true"}, {"DENY default/p global", "true"}});
  CHECK(book.size() == 1);
  Connection connection(kWeb);
  CHECK(answer_of(authorize(book, connection.get())) == "allowed by default/p");
}

TEST_CASE("the next version of a book shares the namespaces that are the same") {
  const std::vector<PolicyText> before_text{
      {"DENY default/d", "true"}, {"DENY other/d", "ns=x"}, {"ALLOW default/s selector", "port=1"}};
  const AuthorizationBook before = book_of(before_text);
  std::vector<PolicyText> after_text = before_text;
  after_text[1].rules = "ns=y";
  const AuthorizationBook after = book_of(after_text).sharing(before);
  CHECK(after.find("default/d") == before.find("default/d"));
  CHECK(after.find("default/s") == before.find("default/s"));
  CHECK(after.find("other/d") != before.find("other/d"));
  CHECK(after == book_of(after_text));
  CHECK_FALSE(after == before);
  CHECK(book_of(before_text) == before);
}

TEST_CASE("equal books keep their place when a mesh is read again") {
  const std::vector<PolicyText> text{{"DENY default/d", "true"}};
  Books current;
  current.authorization = std::make_shared<const AuthorizationBook>(book_of(text));
  Books wanted;
  wanted.authorization = std::make_shared<const AuthorizationBook>(book_of(text));
  CHECK(keep_equal(current, wanted).authorization == current.authorization);
  wanted.authorization = std::make_shared<const AuthorizationBook>(book_of({}));
  CHECK(keep_equal(current, wanted).authorization != current.authorization);
}

}  // namespace
}  // namespace aquifer::model
