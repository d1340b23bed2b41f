// What a decision costs with 10,000 policies of 10 rules in the pod's own namespace, beside what it
// costs to look at all of them. Prints figures; judges nothing.
#include "config/model/authorization_trace.h"

#include <fmt/format.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace aquifer;
using namespace aquifer::model;

constexpr int kPolicies = 10'000;
constexpr int kRules = 10;
constexpr int kRounds = 200'000;
constexpr int kNaiveRounds = 200;

// Processor time: the figures then mean the same on a machine that does other things, too.
double cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

std::uint32_t random_below(std::uint32_t limit) {
  static std::uint64_t state = 1;
  state = state * 6364136223846793005U + 1442695040888963407U;
  return static_cast<std::uint32_t>(state >> 33U) % limit;
}

StringMatch text(StringMatch::Kind kind, std::string value) {
  return {kind, std::move(value)};
}

std::string namespace_of(std::uint32_t number) {
  return fmt::format("team-{}", number);
}

using MakeRule = AuthorizationRule (*)();

// One client of one namespace.
AuthorizationRule by_principal() {
  AuthorizationMatch match;
  match.principals.any_of = {text(
      StringMatch::Kind::exact, fmt::format("cluster.local/ns/{}/sa/app-{}",
                                            namespace_of(random_below(2000)), random_below(1000)))};
  return {{match}};
}

// All of a namespace but one account, on one port.
AuthorizationRule by_namespace_and_port() {
  AuthorizationMatch from;
  from.principals.any_of = {
      text(StringMatch::Kind::prefix,
           fmt::format("cluster.local/ns/{}/", namespace_of(random_below(20'000))))};
  from.service_accounts.none_of = {{"ops", "monitor"}};
  AuthorizationMatch to;
  to.destination_ports.any_of = {static_cast<std::uint16_t>(1 + random_below(65'000))};
  return {{from}, {to}};
}

// Networks of all sizes.
AuthorizationRule by_network() {
  AuthorizationMatch match;
  const auto byte = [] { return static_cast<std::uint8_t>(random_below(256)); };
  match.source_ips.any_of = {Cidr(IpAddress::v4({11, byte(), byte(), byte()}),
                                  static_cast<std::uint8_t>(16 + random_below(17)))};
  return {{match}};
}

// The worst there is: nothing that must be, only what must not. Every decision looks at them all.
AuthorizationRule by_negation() {
  AuthorizationMatch match;
  match.namespaces.none_of = {text(StringMatch::Kind::exact, "default"),
                              text(StringMatch::Kind::prefix, "team-")};
  return {{match}};
}

AuthorizationRule mixed() {
  switch (random_below(3)) {
    case 0: return by_principal();
    case 1: return by_namespace_and_port();
    default: return by_network();
  }
}

AuthorizationBook book_of(AuthorizationAction action, AuthorizationScope scope, MakeRule make_rule,
                          int policies) {
  std::vector<AuthorizationPolicyPtr> all;
  for (int i = 0; i < policies; ++i) {
    AuthorizationPolicy policy;
    policy.ns = "default";
    policy.name = fmt::format("policy-{:05}", i);
    policy.scope = scope;
    policy.action = action;
    for (int rule = 0; rule < kRules; ++rule) policy.rules.push_back(make_rule());
    all.push_back(std::make_shared<const AuthorizationPolicy>(std::move(policy)));
  }
  return AuthorizationBook(all);
}

struct Client {
  std::vector<SpiffeId> identities;
  Workload workload;

  Client() {
    for (int i = 0; i < 1024; ++i) {
      identities.push_back(SpiffeId::make("cluster.local", namespace_of(random_below(2000)),
                                          fmt::format("other-{}", i))
                               .value());
    }
    workload.ns = "default";
  }
  [[nodiscard]] AuthorizationRequest request(int round) const {
    AuthorizationRequest request;
    const auto number = static_cast<std::uint32_t>(round);
    request.identity = &identities[number % identities.size()];
    request.source = {IpAddress::v4({10, 0, static_cast<std::uint8_t>(number >> 8U),
                                     static_cast<std::uint8_t>(number)}),
                      40000};
    request.destination = {IpAddress::v4({10, 0, 0, 1}), 8080};
    request.workload = &workload;
    return request;
  }
};

// The same answer from every policy in turn.
bool naive(const AuthorizationBook& book, const AuthorizationRequest& request) {
  bool allow_exists = false;
  bool allowed = false;
  bool denied = false;
  book.for_each([&](const AuthorizationPolicyPtr& policy) {
    const bool matched = matching_rule(*policy, request).has_value();
    if (policy->action == AuthorizationAction::deny) {
      denied = denied || matched;
    } else {
      allow_exists = true;
      allowed = allowed || matched;
    }
  });
  return !denied && (!allow_exists || allowed);
}

void measure(const char* what, const AuthorizationBook& book, const Client& client) {
  int kept = 0;
  double start = cpu_ns();
  for (int i = 0; i < kRounds; ++i) kept += authorize(book, client.request(i)).allowed() ? 1 : 0;
  const double indexed = (cpu_ns() - start) / kRounds;
  int same = 0;
  start = cpu_ns();
  for (int i = 0; i < kNaiveRounds; ++i) same += naive(book, client.request(i)) ? 1 : 0;
  fmt::print("{:<52} {:>9.0f} ns   all in turn {:>9.0f} ns  ({} {})\n", what, indexed,
             (cpu_ns() - start) / kNaiveRounds, kept, same);
}

}  // namespace

int main() {
  using enum AuthorizationAction;
  const Client client;
  measure("no policy", AuthorizationBook(), client);
  measure("one DENY policy of 10 rules", book_of(deny, AuthorizationScope::ns, mixed, 1), client);
  const double start = cpu_ns();
  const AuthorizationBook deny_book = book_of(deny, AuthorizationScope::ns, mixed, kPolicies);
  fmt::print("making and indexing 10,000 policies of 10 rules: {:.0f} ms\n",
             (cpu_ns() - start) / 1e6);
  measure("10,000 DENY x 10 rules, none matches", deny_book, client);
  measure("10,000 ALLOW x 10 rules, none matches",
          book_of(allow, AuthorizationScope::ns, mixed, kPolicies), client);
  measure("10,000 DENY x 10 rules, by principal",
          book_of(deny, AuthorizationScope::ns, by_principal, kPolicies), client);
  measure("10,000 DENY x 10 rules, by prefix and port",
          book_of(deny, AuthorizationScope::ns, by_namespace_and_port, kPolicies), client);
  measure("10,000 DENY x 10 rules, by network",
          book_of(deny, AuthorizationScope::ns, by_network, kPolicies), client);
  Client selected;
  for (int i = 0; i < kPolicies; ++i) {
    selected.workload.authorization_policies.push_back(fmt::format("default/policy-{:05}", i));
  }
  measure("10,000 DENY x 10 rules, all by selector",
          book_of(deny, AuthorizationScope::workload_selector, mixed, kPolicies), selected);
  measure("10,000 ALLOW x 10 rules, all by selector",
          book_of(allow, AuthorizationScope::workload_selector, mixed, kPolicies), selected);
  measure("100 DENY x 10 rules of negations (the worst)",
          book_of(deny, AuthorizationScope::ns, by_negation, 100), client);
  return 0;
}
