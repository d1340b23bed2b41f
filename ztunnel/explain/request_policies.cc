#include "ztunnel/explain/request_policies.h"

#include "common/base/header_fields.h"
#include "config/model/l7/path.h"
#include "config/model/l7/request_view.h"
#include "config/model/l7/security_trace.h"
#include "ztunnel/explain/judges.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::ztunnel {
namespace {

bool asks_http(const l7::RequestPolicy& policy) {
  const auto any = [](const std::vector<l7::Expression>& list) {
    return std::ranges::any_of(list, [](const auto& one) { return l7::asks_http(one); });
  };
  return std::ranges::any_of(policy.requests, [&](const l7::RequestRule& rule) {
    return any(rule.permissions) || any(rule.principals);
  });
}

void add_lines(Judgement& judgement, const l7::SecurityTrace& trace) {
  for (const l7::RequestPolicyTrace& policy : trace.policies) {
    PolicyLine line;
    line.kind = "AuthorizationPolicy";
    line.name = policy.policy->key();
    line.action = l7::name_of(policy.policy->action);
    line.matched = policy.matched;
    line.dry_run = policy.policy->dry_run();
    line.why = policy.why;
    if (policy.policy.get() == trace.verdict.policy) judgement.detail = policy.why;
    judgement.policies.push_back(std::move(line));
  }
}

void take_verdict(Judgement& judgement, const l7::SecurityTrace& trace) {
  judgement.outcome = trace.verdict.allowed() ? Outcome::allowed : Outcome::denied;
  add_lines(judgement, trace);
  if (trace.verdict.allowed()) {
    judgement.detail.clear();
    return;
  }
  judgement.reason = trace.verdict.refusal();
  if (trace.verdict.policy != nullptr) judgement.policy = trace.verdict.policy->key();
  judgement.nearest_miss = trace.nearest_miss;
}

// The request that the attributes describe; what was not said is what curl would send.
struct DescribedRequest {
  explicit DescribedRequest(const AtWaypoint& asked)
      : method(asked.http.method.empty() ? "GET" : asked.http.method),
        authority(asked.host),
        path(asked.http.path.empty() ? "/" : asked.http.path) {
    for (const auto& [name, value] : asked.http.headers) {
      if (equal_without_case(name, "host")) {
        authority = value;
      } else {
        headers.add(name, value);
      }
    }
  }
  std::string method;
  std::string authority;
  std::string path;
  HeaderFields headers;
};

}  // namespace

Judgement judge_at_waypoint(const l7::SecurityBook& book, const AtWaypoint& asked) {
  const auto policies = l7::considered_policies(book, asked.gateway, asked.service);
  const bool tokens = !l7::token_rules(book, asked.gateway, asked.service).empty();
  if (policies.empty() && !tokens)
    return nobody_judges("no policy is attached to the waypoint or the service");
  l7::SecurityQuestion question;
  question.gateway = asked.gateway;
  question.service = asked.service;
  question.source = asked.source;
  question.destination = asked.destination;
  question.remote = asked.source.ip;
  question.identity = asked.identity;
  question.server_name = asked.server_name;
  Judgement judgement;
  if (asked.http.empty()) {
    take_verdict(judgement, l7::trace_security(book, question));
    const bool decides_by_request = std::ranges::any_of(
        policies, [](const l7::RequestPolicyPtr& policy) { return asks_http(*policy); });
    if (decides_by_request) {
      judgement.outcome = Outcome::undecided;
      judgement.policy.clear();
      judgement.detail.clear();
      judgement.nearest_miss.clear();
      judgement.reason =
          "policies of the waypoint decide by the request: ask again with --method, --path or -H";
      judgement.notes.emplace_back(
          "the lines above say what holds for a connection that is not HTTP");
    }
    return judgement;
  }
  DescribedRequest described(asked);
  const auto path = l7::normalise_path(described.path);
  if (!path) {
    judgement.outcome = Outcome::denied;
    judgement.reason = fmt::format("the waypoint answers 400: {}", path.error().context);
    return judgement;
  }
  const l7::RequestView view{.method = described.method,
                             .scheme = "http",
                             .authority = described.authority,
                             .path = *path,
                             .headers = described.headers,
                             .source = asked.source,
                             .destination = asked.destination,
                             .identity = asked.identity};
  question.request = &view;
  question.remote = l7::remote_address(described.headers, asked.source.ip);
  take_verdict(judgement, l7::trace_security(book, question));
  if (tokens) {
    judgement.notes.emplace_back(
        "tokens are not verified here: the answer is that for a request without one");
  }
  return judgement;
}

}  // namespace aquifer::ztunnel
