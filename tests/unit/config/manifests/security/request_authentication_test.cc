// RequestAuthentication: every field's translation, and what is said of mistakes.
#include "config/model/l7/security_decision.h"
#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

#include <initializer_list>

namespace aquifer::manifests {
namespace {

using namespace test;

// A secret of one byte is enough of a key here.
constexpr std::string_view kKeys = R"('{"keys":[{"kty":"oct","k":"AA"}]}')";
constexpr std::string_view kGateway =
    "  targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: w}]\n";

std::string yaml(std::string_view spec) {
  return fmt::format(
      "---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\n"
      "metadata: {{name: r, namespace: default}}\nspec:\n{}\n"
      "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
      "metadata: {{name: w, namespace: default}}\n"
      "spec: {{gatewayClassName: istio-waypoint, listeners: [{{name: m, port: 15008, protocol: "
      "HBONE}}]}}\n",
      spec);
}

l7::TokenRule rule_of(std::string_view rule) {
  const Loaded mesh = load_text(yaml(fmt::format("{}  jwtRules:\n  - {}", kGateway, rule)));
  CAPTURE(mesh.text());
  REQUIRE_FALSE(mesh.broken);
  const auto rules = l7::token_rules(*mesh.state.books.security, "default/w", "");
  REQUIRE(rules.size() == 1);
  return *rules[0];
}

TEST_CASE("a rule with an issuer and keys looks at the usual places") {
  const l7::TokenRule rule = rule_of(fmt::format("{{issuer: i, jwks: {}}}", kKeys));
  CHECK(rule.issuer == "i");
  CHECK(rule.headers == std::vector<l7::TokenHeader>{{"authorization", "Bearer "}});
  CHECK(rule.params == std::vector<std::string>{"access_token"});
  CHECK(rule.cookies.empty());
  CHECK_FALSE(rule.forward);
  CHECK(rule.space_delimited == std::vector<std::string>{"scope", "permission"});
}

TEST_CASE("every field of a rule is read") {
  const l7::TokenRule rule = rule_of(
      "{issuer: i, audiences: [a, b], jwksUri: 'https://keys/x', fromHeaders: [{name: x-jwt, "
      "prefix: 'JWT '}], fromParams: [tok], fromCookies: [c], outputPayloadToHeader: x-payload, "
      "outputClaimToHeaders: [{header: x-sub, claim: sub}], forwardOriginalToken: true, "
      "spaceDelimitedClaims: [roles], timeout: 1.5s}");
  CHECK(rule.audiences == std::vector<std::string>{"a", "b"});
  CHECK(rule.jwks_uri == "https://keys/x");
  CHECK(rule.headers == std::vector<l7::TokenHeader>{{"x-jwt", "JWT "}});
  CHECK(rule.params == std::vector<std::string>{"tok"});
  CHECK(rule.cookies == std::vector<std::string>{"c"});
  CHECK(rule.payload_header == "x-payload");
  CHECK(rule.claim_headers == std::vector<l7::ClaimHeader>{{"x-sub", "sub"}});
  CHECK(rule.forward);
  CHECK(rule.space_delimited == std::vector<std::string>{"roles", "scope", "permission"});
  CHECK(rule.timeout == std::chrono::milliseconds(1500));
}

TEST_CASE("mistakes are errors") {
  struct Mistake {
    std::string_view rule;
    std::string_view line;
  };
  for (const Mistake& one : {
           Mistake{"{jwksUri: 'https://x'}", "jwtRules[0].issuer: missing"},
           Mistake{"{issuer: i, jwks: nonsense}", "jwks: is no key set: no JSON object"},
           Mistake{"{issuer: i, jwks: '{\"keys\":[]}', jwksUri: 'https://x'}", "keep one of them"},
           Mistake{"{issuer: i, jwksUri: 'ftp://x'}", "must begin with http:// or https://"},
           Mistake{"{issuer: i, jwksUri: 'https://x', fromHeaders: [{name: 'a b'}]}",
                   "must be the name of a header field"},
           Mistake{"{issuer: i, jwksUri: 'https://x', outputClaimToHeaders: [{header: x}]}",
                   "claim: missing"},
           Mistake{"{issuer: i, jwksUri: 'https://x', timeout: soon}", "is no duration"},
           Mistake{"{issuer: i, jwksUri: 'https://x', audience: [a]}", "audience"},
       }) {
    CAPTURE(one.rule);
    const Loaded mesh = load_text(yaml(fmt::format("{}  jwtRules:\n  - {}", kGateway, one.rule)));
    CAPTURE(mesh.text());
    CHECK(mesh.broken);
    CHECK(mesh.text().contains(one.line));
  }
}

TEST_CASE("what checks no token, or believes none, is warned of") {
  const auto text = [](const std::string& manifest) {
    const Loaded mesh = load_text(manifest);
    CHECK_FALSE(mesh.broken);
    return mesh.text();
  };
  const std::string rules = fmt::format("  jwtRules: [{{issuer: i, jwks: {}}}]", kKeys);
  CHECK(text(yaml("  selector: {matchLabels: {a: b}}\n" + rules)).contains("NOT CHECKED anywhere"));
  CHECK(text(yaml(rules)).contains("NOT CHECKED anywhere"));
  CHECK(text(yaml(std::string(kGateway) + "  jwtRules: [{issuer: i}]"))
            .contains("every token of it is REFUSED"));
  CHECK(text(yaml(std::string(kGateway) +
                  R"(  jwtRules: [{issuer: i, jwks: '{"keys":[{"kty":"who"}]}'}])"))
            .contains("holds no key: every token of this issuer is REFUSED"));
  CHECK(load_text(yaml(std::string(kGateway) + rules)).diagnostics.empty());
}

}  // namespace
}  // namespace aquifer::manifests
