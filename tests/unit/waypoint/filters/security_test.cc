// The filter before a request goes on: tokens, what becomes of them, and the answers that a client
// gets.
#include "waypoint/filters/security.h"

#include "tests/unit/common/tls/token_signer.h"
#include "waypoint/filters/token_keys.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace aquifer::waypoint {
namespace {

using test::TokenSigner;

const TokenSigner& issuer() {
  static const TokenSigner kSigner(TokenSigner::Kind::p256);
  return kSigner;
}

constexpr std::int64_t kNow = 1'800'000'000;

std::string token(std::string_view claims = R"("sub":"alice")",
                  std::string_view name = "https://i") {
  return issuer().sign("ES256", fmt::format(R"({{"iss":"{}","exp":{}{}{}}})", name, kNow + 100,
                                            claims.empty() ? "" : ",", claims));
}

l7::TokenRule usual_rule() {
  l7::TokenRule rule;
  rule.issuer = "https://i";
  rule.jwks = issuer().jwks();
  rule.headers = {{"authorization", "Bearer "}};
  rule.params = {"access_token"};
  rule.space_delimited = {"scope"};
  return rule;
}

SecurityContext context_of(const l7::SecurityBook& book, TokenKeys& keys) {
  return {.book = book,
          .keys = keys,
          .gateway = "ns/w",
          .service = {},
          .source = {},
          .destination = {},
          .identity = nullptr,
          .server_name = {},
          .now = {},
          .token = nullptr,
          .request_principal = {},
          .audited_by = {},
          .dry_run = {}};
}

// A waypoint with some rules for tokens and some policies, and a GET of /x to it.
struct World {
  explicit World(std::vector<l7::TokenRule> rules,
                 std::vector<l7::RequestPolicyPtr> policies = {}) {
    auto object = std::make_shared<l7::RequestAuthentication>();
    object->ns = "ns";
    object->name = "r";
    object->targets = {{l7::SecurityTarget::Kind::gateway, "ns/w"}};
    for (l7::TokenRule& rule : rules) {
      object->rules.push_back(std::make_shared<const l7::TokenRule>(std::move(rule)));
    }
    std::vector<l7::RequestAuthenticationPtr> objects;
    if (!object->rules.empty()) objects.push_back(std::move(object));
    book = l7::SecurityBook(std::move(policies), std::move(objects));
    head.method = "GET";
    head.scheme = "http";
    head.authority = "shop";
    head.path = "/x?a=1";
  }

  std::optional<Refusal> ask() {
    SecurityContext context = context_of(book, keys);
    context.now = std::chrono::sys_seconds(std::chrono::seconds(kNow + later));
    auto refusal = secure(context, head);
    principal = context.request_principal;
    dry_run = context.dry_run;
    audited_by = context.audited_by;
    return refusal;
  }

  l7::SecurityBook book;
  TokenKeys keys;
  http::RequestHead head;
  std::int64_t later = 0;
  std::string principal, dry_run, audited_by;
};

l7::RequestPolicyPtr policy(l7::RequestAction action, l7::Expression permission,
                            l7::Expression principal = {l7::Always{}},
                            model::Enforcement enforcement = model::Enforcement::enforced) {
  auto made = std::make_shared<l7::RequestPolicy>();
  made->ns = "ns";
  made->name = "p";
  made->action = action;
  made->enforcement = enforcement;
  made->targets = {{l7::SecurityTarget::Kind::gateway, "ns/w"}};
  made->requests.push_back({0, {std::move(permission)}, {std::move(principal)}});
  if (auto left = l7::for_connections(made->requests[0], action)) made->connections = {*left};
  return made;
}

TEST_CASE("a valid token passes, names whoever sent it, and does not go on") {
  World world({usual_rule()});
  world.head.fields.add("Authorization", "Bearer " + token());
  CHECK_FALSE(world.ask());
  CHECK(world.principal == "https://i/alice");
  CHECK_FALSE(world.head.fields.contains("authorization"));
}

TEST_CASE("a request without a token passes, and whoever asks for one by policy refuses it") {
  World world({usual_rule()});
  CHECK_FALSE(world.ask());
  CHECK(world.principal.empty());
  l7::AllOf somebody;
  somebody.parts.push_back({l7::ClaimIs{{"iss"}, {}}});
  World strict({usual_rule()}, {policy(l7::RequestAction::allow, {l7::Always{}}, {somebody})});
  const auto refusal = strict.ask();
  REQUIRE(refusal);
  CHECK(refusal->status == 403);
  strict.head.fields.add("authorization", "Bearer " + token());
  CHECK_FALSE(strict.ask());
}

TEST_CASE("RFC 6750: what is no valid token is 401 with a challenge, and says why") {
  struct Row {
    std::string value;
    std::string body;
    int status = 401;
  };
  l7::TokenRule rule = usual_rule();
  rule.audiences = {"shop"};
  const TokenSigner other(TokenSigner::Kind::p256);
  const std::string good = token(R"("aud":"shop")");
  for (const Row& row : {
           Row{"Bearer opaque",
               "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"},
           Row{"Bearer " + token(R"("aud":"shop")", "https://other"),
               "Jwt issuer is not configured"},
           Row{"Bearer " + token(R"("aud":"bank")"), "Audiences in Jwt are not allowed", 403},
           Row{"Bearer " + issuer().sign("ES256", R"({"iss":"https://i","aud":"shop","exp":1})"),
               "Jwt is expired"},
           Row{"Bearer " + issuer().sign("ES256", R"({"iss":"https://i","aud":"shop","nbf":1e10})"),
               "Jwt not yet valid"},
           Row{"Bearer " + other.sign("ES256", R"({"iss":"https://i","aud":"shop"})"),
               "Jwt verification fails"},
           Row{"Bearer " + good.substr(0, good.rfind('.') + 1) + "AAAA", "Jwt verification fails"},
       }) {
    CAPTURE(row.value);
    World world({rule});
    world.head.fields.add("authorization", row.value);
    const auto refusal = world.ask();
    REQUIRE(refusal);
    CHECK(refusal->status == row.status);
    CHECK(refusal->body == row.body);
    CHECK(refusal->fields.find("www-authenticate") ==
          "Bearer realm=\"http://shop/x?a=1\", error=\"invalid_token\"");
    CHECK(refusal->details.starts_with("jwt_authn_access_denied{"));
    CHECK_FALSE(refusal->details.contains(' '));
  }
  World world({rule});
  world.head.fields.add("authorization", "Bearer " + good);
  CHECK_FALSE(world.ask());
  // What is no bearer's is none of ours.
  world.head.fields.set("authorization", "Basic YTpi");
  CHECK_FALSE(world.ask());
  CHECK(world.head.fields.contains("authorization"));
}

TEST_CASE("a good token does not carry a bad one past the rule, wherever the two stand") {
  World world({usual_rule()});
  world.head.fields.add("authorization", "Bearer " + token());
  world.head.path = "/x?access_token=bad";
  CHECK(world.ask()->status == 401);
  World twice({usual_rule()});
  twice.head.path = "/x?access_token=" + token() + "&access_token=bad";
  CHECK(twice.ask()->status == 401);
  World many({usual_rule()});
  for (int i = 0; i < 9; ++i) many.head.fields.add("authorization", "Bearer " + token());
  CHECK(many.ask()->status == 401);
}

TEST_CASE("tokens come by header field, parameter and cookie, and are taken out but of cookies") {
  l7::TokenRule rule = usual_rule();
  rule.headers = {{"x-jwt", ""}};
  rule.params = {"tok"};
  rule.cookies = {"c"};
  World header({rule});
  header.head.fields.add("X-JWT", token());
  CHECK_FALSE(header.ask());
  CHECK(header.principal == "https://i/alice");
  CHECK_FALSE(header.head.fields.contains("x-jwt"));
  World param({rule});
  param.head.path = "/x?a=1&tok=" + token() + "&b=2";
  CHECK_FALSE(param.ask());
  CHECK(param.principal == "https://i/alice");
  CHECK(param.head.path == "/x?a=1&b=2");
  World only({rule});
  only.head.path = "/x?%74ok=" + token();
  CHECK_FALSE(only.ask());
  CHECK(only.principal == "https://i/alice");
  CHECK(only.head.path == "/x");
  World cookie({rule});
  cookie.head.fields.add("cookie", "d=1; c=" + token() + "; e=2");
  CHECK_FALSE(cookie.ask());
  CHECK(cookie.principal == "https://i/alice");
  CHECK(cookie.head.fields.contains("cookie"));
  // And nowhere else.
  World elsewhere({rule});
  elsewhere.head.fields.add("authorization", "Bearer bad");
  CHECK_FALSE(elsewhere.ask());
  rule.forward = true;
  World forward({rule});
  forward.head.fields.add("x-jwt", token());
  CHECK_FALSE(forward.ask());
  CHECK(forward.head.fields.contains("x-jwt"));
}

TEST_CASE("claims become header fields, which nobody else may write") {
  l7::TokenRule rule = usual_rule();
  rule.payload_header = "x-payload";
  rule.claim_headers = {
      {"x-sub", "sub"}, {"x-n", "n"}, {"x-in", "a.b"}, {"x-evil", "evil"}, {"x-list", "list"}};
  const auto make = [&] {
    World world({rule});
    for (const char* name : {"X-Payload", "x-sub", "x-n", "x-in", "x-evil", "x-list"}) {
      world.head.fields.add(name, "forged");
    }
    return world;
  };
  World without = make();
  CHECK_FALSE(without.ask());
  CHECK(without.head.fields.empty());
  World with = make();
  const std::string text =
      token(R"("sub":"alice","n":7,"a":{"b":true},"evil":"x\r\nadmin: yes","list":["a"])");
  with.head.fields.add("authorization", "Bearer " + text);
  CHECK_FALSE(with.ask());
  CHECK(with.head.fields.find("x-sub") == "alice");
  CHECK(with.head.fields.find("x-n") == "7");
  CHECK(with.head.fields.find("x-in") == "true");
  CHECK_FALSE(with.head.fields.contains("x-evil"));
  CHECK_FALSE(with.head.fields.contains("x-list"));
  const std::size_t dot = text.find('.');
  CHECK(with.head.fields.find("x-payload") == text.substr(dot + 1, text.rfind('.') - dot - 1));
  // A browser's preflight has no token and is not asked for one, but may not forge them either.
  World preflight = make();
  preflight.head.method = "OPTIONS";
  preflight.head.fields.add("origin", "https://page");
  preflight.head.fields.add("access-control-request-method", "GET");
  preflight.head.fields.add("authorization", "Bearer bad");
  CHECK_FALSE(preflight.ask());
  CHECK_FALSE(preflight.head.fields.contains("x-sub"));
}

TEST_CASE("of several issuers one that believes is enough, and the most telling fault is said") {
  l7::TokenRule other = usual_rule();
  other.issuer = "https://other";
  World world({other, usual_rule()});
  world.head.fields.add("authorization", "Bearer " + token());
  CHECK_FALSE(world.ask());
  CHECK(world.principal == "https://i/alice");
  World bad({other, usual_rule()});
  bad.head.fields.add("authorization",
                      "Bearer " + issuer().sign("ES256", R"({"iss":"https://i","exp":1})"));
  CHECK(bad.ask()->body == "Jwt is expired");
  World unknown({other, usual_rule()});
  unknown.head.fields.add("authorization", "Bearer " + token("", "https://third"));
  CHECK(unknown.ask()->body == "Jwt issuer is not configured");
}

TEST_CASE("a token is verified once, and still ends when it ends") {
  World world({usual_rule()});
  const std::string text = token();
  world.head.fields.add("authorization", "Bearer " + text);
  CHECK_FALSE(world.ask());
  CHECK(world.keys.remembered() == 1);
  world.later = 161;
  world.head.fields.set("authorization", "Bearer " + text);
  CHECK(world.ask()->body == "Jwt is expired");
}

TEST_CASE("keys that are not fetched fail closed, and fetched ones count from then on") {
  l7::TokenRule rule = usual_rule();
  rule.jwks.clear();
  rule.jwks_uri = "http://keys/";
  World world({rule});
  const std::string value = "Bearer " + token();
  world.head.fields.add("authorization", value);
  CHECK(world.ask()->body == "Jwks remote fetch is failed");
  auto fetched = std::make_shared<FetchedKeys>();
  fetched->emplace("http://keys/", std::make_shared<const jwt::KeySet>(
                                       jwt::KeySet::parse(issuer().jwks()).value()));
  world.keys.set_fetched(fetched);
  CHECK_FALSE(world.ask());
  world.keys.set_fetched(std::make_shared<FetchedKeys>());
  world.head.fields.set("authorization", value);
  CHECK(world.ask()->status == 401);
}

TEST_CASE("a policy's refusal is Envoy's, and names policy, rule and the nearest way") {
  World world({}, {policy(l7::RequestAction::deny,
                          {l7::HeaderIs{":method", l7::TextPattern::exact("GET")}})});
  const auto refusal = world.ask();
  REQUIRE(refusal);
  CHECK(refusal->status == 403);
  CHECK(refusal->body == "RBAC: access denied");
  CHECK(refusal->flags == "-");
  CHECK(refusal->details == "rbac_access_denied_matched_policy[ns[ns]-policy[p]-rule[0]]");
  CHECK(refusal->reason ==
        "explicitly denied by: ns/p rule 0: rules[0] matches method GET; would pass if the method "
        "were not GET");
  SecurityContext connection = context_of(world.book, world.keys);
  CHECK(secure_connection(connection) ==
        "explicitly denied by: ns/p rule 0: rules[0] matches everything");
  World custom({}, {policy(l7::RequestAction::custom, {l7::Always{}})});
  CHECK(custom.ask()->status == 403);
  CHECK(custom.ask()->flags == "UAEX");
}

TEST_CASE("policies on trial and audits let pass and leave a trace") {
  World trial({}, {policy(l7::RequestAction::deny, {l7::Always{}}, {l7::Always{}},
                          model::Enforcement::dry_run)});
  CHECK_FALSE(trial.ask());
  CHECK(trial.dry_run == "would be denied by ns/p");
  World audit({}, {policy(l7::RequestAction::audit, {l7::Always{}})});
  CHECK_FALSE(audit.ask());
  CHECK(audit.audited_by == "ns/p");
}

}  // namespace
}  // namespace aquifer::waypoint
