// What a waypoint's decision on a request costs with 1,000 policies of one Gateway, beside what it
// costs to look at all of them. Prints figures; judges nothing.
#include "config/model/l7/security_decision.h"

#include <fmt/format.h>

#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace aquifer;
using namespace aquifer::l7;

constexpr std::size_t kPolicies = 1000;
constexpr int kRounds = 200'000;
constexpr int kNaiveRounds = 2000;

// Processor time: the figures then mean the same on a machine that does other things, too.
double cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// An application's callers, methods and paths: what a team writes.
RequestPolicyPtr policy_of(std::size_t number) {
  auto policy = std::make_shared<RequestPolicy>();
  policy->ns = "shop";
  policy->name = fmt::format("app-{:04}", number);
  policy->targets = {{SecurityTarget::Kind::gateway, "shop/w"}};
  AllOf operation;
  operation.parts.push_back({AnyOf{{{HeaderIs{":method", TextPattern::exact("GET")}},
                                    {HeaderIs{":method", TextPattern::exact("POST")}}}}});
  operation.parts.push_back({PathIs{TextPattern::prefix(fmt::format("/app-{}/", number))}});
  AnyOf callers;
  for (int i = 0; i < 3; ++i) {
    callers.parts.push_back({PrincipalIs{
        TextPattern::exact(fmt::format("cluster.local/ns/team-{}/sa/web-{}", number % 50, i))}});
  }
  policy->requests.push_back({0, {{std::move(operation)}}, {{std::move(callers)}}});
  return policy;
}

}  // namespace

int main() {
  std::vector<RequestPolicyPtr> policies;
  for (std::size_t i = 0; i < kPolicies; ++i) policies.push_back(policy_of(i));
  const SecurityBook book(policies, {});
  const SpiffeId client = SpiffeId::make("cluster.local", "team-7", "web-1").value();
  HeaderFields headers{{"user-agent", "curl/8"}, {"accept", "*/*"}, {"x-request-id", "1"}};
  const auto measure = [&](std::string_view what, std::string_view path, int rounds,
                           auto&& decide) {
    const RequestView view{.method = "GET",
                           .scheme = "http",
                           .authority = "shop",
                           .path = path,
                           .headers = headers,
                           .source = {},
                           .destination = {},
                           .identity = &client};
    SecurityQuestion question = question_about(view);
    question.gateway = "shop/w";
    question.service = "shop/shop.shop.svc.cluster.local";
    std::size_t passed = 0;
    const double before = cpu_ns();
    for (int i = 0; i < rounds; ++i) passed += decide(question) ? 1 : 0;
    fmt::print("{:<44}{:>10.0f} ns\n", what, (cpu_ns() - before) / rounds);
    return passed;
  };
  const auto indexed = [&](const SecurityQuestion& question) {
    return authorize(book, question).allowed();
  };
  const auto naive = [&](const SecurityQuestion& question) {
    for (const RequestPolicyPtr& policy : policies) {
      if (matches(policy->requests[0], question)) return true;
    }
    return false;
  };
  std::size_t passed = measure("allowed, indexed", "/app-907/items", kRounds, indexed);
  passed += measure("refused, indexed", "/other/items", kRounds, indexed);
  passed += measure("allowed, looking at all of 1,000", "/app-907/items", kNaiveRounds, naive);
  return passed == kRounds + kNaiveRounds ? 0 : 1;
}
