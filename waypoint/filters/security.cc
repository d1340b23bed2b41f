#include "waypoint/filters/security.h"

#include "common/base/log.h"
#include "config/model/l7/security_decision.h"
#include "config/model/l7/security_miss.h"
#include "config/model/l7/security_words.h"
#include "waypoint/filters/authenticate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace aquifer::waypoint {
namespace {

// What a refusal's explanation for the log may cost: some microseconds. `ztunnel explain` looks
// further.
constexpr l7::MissEffort kReasonEffort{.rules = 16, .trials = 8};
// Of the path in www-authenticate, as Envoy.
constexpr std::size_t kRealmPathBytesMax = 256;

std::string details_of(std::string_view prefix, std::string_view sentence) {
  std::string words(sentence);
  std::ranges::replace(words, ' ', '_');
  return fmt::format("{}{{{}}}", prefix, words);
}

// RFC 6750 section 3. What would end the quotes does not get into them.
std::string challenge(const http::RequestHead& head) {
  std::string realm = fmt::format("{}://{}{}", head.scheme.empty() ? "http" : head.scheme,
                                  head.authority, head.path.substr(0, kRealmPathBytesMax));
  std::erase_if(realm, [](char c) { return c == '"' || c == '\\'; });
  return fmt::format("Bearer realm=\"{}\", error=\"invalid_token\"", realm);
}

Refusal token_refusal(jwt::Fault fault, const http::RequestHead& head) {
  Refusal refusal;
  refusal.status = fault == jwt::Fault::audience_not_allowed ? 403 : 401;
  refusal.body = jwt::text_of(fault);
  refusal.fields.add("www-authenticate", challenge(head));
  refusal.details = details_of("jwt_authn_access_denied", refusal.body);
  refusal.reason = fmt::format("no RequestAuthentication believes the token: {}", refusal.body);
  return refusal;
}

std::string reason_of(const l7::SecurityBook& book, const l7::SecurityQuestion& question,
                      const l7::SecurityVerdict& verdict) {
  std::string reason = verdict.refusal();
  if (verdict.policy != nullptr) {
    reason += fmt::format(": {}", l7::describe_rule(*verdict.policy, verdict.rule, question));
  }
  const std::string miss = l7::nearest_miss(book, question, verdict, kReasonEffort);
  if (!miss.empty()) reason += fmt::format("; {}", miss);
  return reason;
}

std::string dry_run_text(const l7::SecurityVerdict& verdict) {
  if (verdict.dry_run_allowed == verdict.allowed()) return {};
  std::string names;
  for (const l7::RequestPolicy* policy : verdict.dry_run) {
    if (!names.empty()) names += ", ";
    names += policy->key();
  }
  return fmt::format("would be {} by {}", verdict.dry_run_allowed ? "allowed" : "denied",
                     names.empty() ? "ALLOW policies on trial, none of which matches" : names);
}

l7::SecurityQuestion question_of(const SecurityContext& context) {
  l7::SecurityQuestion question;
  question.gateway = context.gateway;
  question.service = context.service;
  question.source = context.source;
  question.destination = context.destination;
  question.remote = context.source.ip;
  question.identity = context.identity;
  question.server_name = context.server_name;
  return question;
}

std::string what_of(const l7::SecurityQuestion& question) {
  if (question.request == nullptr) return "a connection";
  return fmt::format("{} {}", question.request->method, question.request->path_only());
}

l7::SecurityVerdict decide(SecurityContext& context, const l7::SecurityQuestion& question) {
  l7::SecurityVerdict verdict = l7::authorize(context.book, question);
  if (verdict.audit != nullptr) context.audited_by = verdict.audit->key();
  context.dry_run = dry_run_text(verdict);
  if (!context.dry_run.empty()) {
    // What whoever tries a policy out waits for: only where it would make a difference.
    log::info(
        "waypoint::rbac", "{} from {} to {}: {} (dry run)", what_of(question),
        question.identity != nullptr ? question.identity->to_string() : "nobody",
        question.service.empty() ? question.destination.to_string() : std::string(question.service),
        context.dry_run);
  }
  return verdict;
}

std::optional<Refusal> check_token(SecurityContext& context,
                                   const std::vector<l7::TokenRulePtr>& rules,
                                   http::RequestHead& head) {
  remove_claim_headers(rules, head);
  if (is_cors_preflight(head)) return std::nullopt;
  auto token = authenticate(rules, context.keys, context.now, head);
  if (!token) return token_refusal(token.error(), head);
  context.token = std::move(*token);
  if (context.token != nullptr) {
    context.request_principal = fmt::format("{}/{}", context.token->issuer, context.token->subject);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> secure(SecurityContext& context, http::RequestHead& head) {
  if (context.book.empty()) return std::nullopt;
  const auto rules = l7::token_rules(context.book, context.gateway, context.service);
  if (!rules.empty()) {
    if (auto refusal = check_token(context, rules, head)) return refusal;
  }
  const l7::RequestView view{.method = head.method,
                             .scheme = head.scheme,
                             .authority = head.authority,
                             .path = head.path,
                             .headers = head.fields,
                             .source = context.source,
                             .destination = context.destination,
                             .identity = context.identity};
  l7::SecurityQuestion question = question_of(context);
  question.request = &view;
  question.remote = l7::remote_address(head.fields, context.source.ip);
  question.claims = context.token != nullptr ? &context.token->claims : nullptr;
  const l7::SecurityVerdict verdict = decide(context, question);
  if (verdict.allowed()) return std::nullopt;
  Refusal refusal;
  refusal.status = 403;
  if (verdict.reason == l7::SecurityReason::not_asked) {
    // Envoy's answer when ext_authz cannot be asked: no body, and a flag of its own.
    refusal.flags = "UAEX";
  } else {
    refusal.body = "RBAC: access denied";
  }
  refusal.details = verdict.details();
  refusal.reason = reason_of(context.book, question, verdict);
  return refusal;
}

std::optional<std::string> secure_connection(SecurityContext& context) {
  if (context.book.empty()) return std::nullopt;
  const l7::SecurityQuestion question = question_of(context);
  const l7::SecurityVerdict verdict = decide(context, question);
  if (verdict.allowed()) return std::nullopt;
  return reason_of(context.book, question, verdict);
}

}  // namespace aquifer::waypoint
