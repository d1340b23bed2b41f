#include "waypoint/filters/authenticate.h"

#include "waypoint/filters/token_places.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aquifer::waypoint {
namespace {

using TokenPtr = std::shared_ptr<const jwt::Token>;

// A claim by its name; where there is none of that very name, its dots lead inwards.
const Claim* find_claim(const Claim& claims, std::string_view name) {
  if (const Claim* whole = claims.member(name)) return whole;
  const Claim* at = &claims;
  while (at != nullptr && !name.empty()) {
    const std::size_t dot = name.find('.');
    at = at->member(name.substr(0, dot));
    name.remove_prefix(dot == std::string_view::npos ? name.size() : dot + 1);
  }
  return at;
}

void write_headers(const l7::TokenRule& rule, const jwt::Token& token, http::RequestHead& head) {
  if (!rule.payload_header.empty()) head.fields.add(rule.payload_header, token.payload);
  for (const l7::ClaimHeader& wanted : rule.claim_headers) {
    const Claim* claim = find_claim(token.claims, wanted.claim);
    if (claim == nullptr) continue;
    const bool plain = claim->kind == Claim::Kind::text || claim->kind == Claim::Kind::number ||
                       claim->kind == Claim::Kind::boolean;
    // A claim is the issuer's text: what is no field value must not become a line of its own.
    if (plain && !claim->text.empty() && is_field_value(claim->text)) {
      head.fields.add(wanted.header, claim->text);
    }
  }
}

// The first of the tokens that were found in the rule's places, if all of them are valid.
std::expected<TokenPtr, jwt::Fault> believe(const l7::TokenRulePtr& rule,
                                            const std::vector<FoundToken>& found, TokenKeys& keys,
                                            std::chrono::sys_seconds now) {
  // A good token must not carry a bad one past us, which an application may look at instead.
  TokenPtr believed;
  for (const FoundToken& one : found) {
    auto token = keys.verify(rule, one.text, now);
    if (!token) return std::unexpected(token.error());
    if (believed == nullptr) believed = std::move(*token);
  }
  return believed;
}

// A fault that says more than `known`?
bool is_more_telling(jwt::Fault fault, std::optional<jwt::Fault> known) {
  return !known || (*known == jwt::Fault::unknown_issuer && fault != jwt::Fault::unknown_issuer);
}

}  // namespace

void remove_claim_headers(std::span<const l7::TokenRulePtr> rules, http::RequestHead& head) {
  for (const l7::TokenRulePtr& rule : rules) {
    if (!rule->payload_header.empty()) head.fields.remove(rule->payload_header);
    for (const l7::ClaimHeader& header : rule->claim_headers) head.fields.remove(header.header);
  }
}

std::expected<TokenPtr, jwt::Fault> authenticate(std::span<const l7::TokenRulePtr> rules,
                                                 TokenKeys& keys, std::chrono::sys_seconds now,
                                                 http::RequestHead& head) {
  std::optional<jwt::Fault> fault;
  for (const l7::TokenRulePtr& rule : rules) {
    const std::vector<FoundToken> found = find_tokens(*rule, head);
    if (found.empty()) continue;
    auto believed = believe(rule, found, keys, now);
    if (!believed) {
      if (is_more_telling(believed.error(), fault)) fault = believed.error();
      continue;
    }
    write_headers(*rule, **believed, head);
    if (!rule->forward) {
      for (const FoundToken& token : found) remove_token(token, head);
    }
    return *believed;
  }
  if (fault) return std::unexpected(*fault);
  return nullptr;
}

bool is_cors_preflight(const http::RequestHead& head) {
  const auto has_text = [&](std::string_view name) {
    const auto value = head.fields.find(name);
    return value && !value->empty();
  };
  return head.method == "OPTIONS" && has_text("origin") &&
         has_text("access-control-request-method");
}

}  // namespace aquifer::waypoint
