// What egress and network policies cost a connection, with 10,000 policies of each kind in a mesh
// of 100,000 workloads. Prints figures; judges nothing.
#include "config/model/egress.h"
#include "config/model/network_policy.h"

#include <fmt/format.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace aquifer;
using namespace aquifer::model;

constexpr int kWorkloads = 100'000;
constexpr int kPolicies = 10'000;
constexpr int kNamespaces = 1'000;  // so that ten policies of each kind hold in each
constexpr int kRounds = 300'000;

std::string ns_of(int index) {
  return fmt::format("ns-{}", index % kNamespaces);
}

Workload workload_of(int index) {
  Workload workload;
  workload.name = fmt::format("pod-{}", index);
  workload.ns = ns_of(index);
  workload.uid = fmt::format("Kubernetes//Pod/{}/{}", workload.ns, workload.name);
  workload.addresses = {
      IpAddress::v4({10, static_cast<std::uint8_t>(index >> 16),
                     static_cast<std::uint8_t>(index >> 8), static_cast<std::uint8_t>(index)})};
  return workload;
}

// Group i selects every pod of namespace i.
WorkloadGroups groups_of(const std::vector<Workload>& workloads) {
  std::vector<WorkloadGroups::List> lists;
  for (GroupId id = 0; id < kNamespaces; ++id) {
    lists.push_back(std::make_shared<const std::vector<GroupId>>(std::vector<GroupId>{id}));
  }
  WorkloadGroups groups;
  for (std::size_t i = 0; i < workloads.size(); ++i) {
    groups.set(workloads[i].uid, lists[i % kNamespaces]);
  }
  return groups;
}

EgressBook egress_book(const std::vector<Workload>& workloads) {
  std::vector<EgressPolicy> policies;
  for (int i = 0; i < kPolicies; ++i) {
    EgressPolicy policy;
    policy.ns = policy.selected_ns = ns_of(i);
    policy.name = fmt::format("policy-{}", i);
    if (i % 2 == 0) policy.group = static_cast<GroupId>(i % kNamespaces);
    policy.fallback = EgressAction::deny;
    EgressTarget by_host;
    by_host.hosts.any_of = {*HostPattern::parse("api.example.com"),
                            *HostPattern::parse("*.example.org")};
    EgressTarget by_address;
    by_address.cidrs.any_of = {Cidr::parse("192.168.0.0/16").value()};
    by_address.ports.any_of = {{443, 443}};
    policy.rules = {{EgressAction::allow, {by_host, by_address}}};
    policies.push_back(std::move(policy));
  }
  return {std::move(policies), groups_of(workloads), {}};
}

NetworkPolicyBook network_book(const std::vector<Workload>& workloads) {
  std::vector<NetworkPolicy> policies;
  for (int i = 0; i < kPolicies; ++i) {
    NetworkPolicy policy;
    policy.ns = ns_of(i);
    policy.name = fmt::format("policy-{}", i);
    policy.selected = static_cast<GroupId>(i % kNamespaces);
    NetworkRule rule;
    rule.peers = {{static_cast<GroupId>((i + 1) % kNamespaces),
                   AddressBlock{Cidr::parse("192.168.0.0/16").value(), {}}}};
    rule.ports = {{{443, 443, ""}, {8080, 8080, ""}}};
    policy.ingress = {{rule}};
    policies.push_back(std::move(policy));
  }
  return {std::move(policies), groups_of(workloads), {}};
}

// Processor time: the figures then mean the same on a machine that does other things, too.
double cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

template <typename Work>
void measure(const char* what, int rounds, Work&& work) {
  const double start = cpu_ns();
  std::uint64_t kept = 0;
  for (int i = 0; i < rounds; ++i) kept += work(i);
  fmt::print("{:<56} {:>12.0f} ns  ({})\n", what, (cpu_ns() - start) / rounds, kept);
}

std::size_t scattered(int round) {
  return static_cast<std::uint32_t>(round) * 2654435761U % kWorkloads;
}

}  // namespace

int main() {
  std::vector<Workload> workloads;
  for (int i = 0; i < kWorkloads; ++i) workloads.push_back(workload_of(i));
  const EgressBook egress = egress_book(workloads);
  const NetworkPolicyBook network = network_book(workloads);
  const std::vector<HostName> hosts = {std::make_shared<const std::string>("www.example.net"),
                                       std::make_shared<const std::string>("a.example.org")};
  const auto ask_egress = [&](int round, std::span<const HostName> names) {
    EgressRequest request;
    request.source = &workloads[scattered(round)];
    request.dialled = request.endpoint = {IpAddress::v4({203, 0, 113, 5}), 443};
    request.hosts = names;
    return static_cast<std::uint64_t>(judge_egress(egress, request).outcome);
  };
  const auto ask_network = [&](int round, int distance) {
    NetworkRequest request;
    request.local = &workloads[scattered(round)];
    const std::size_t peer = (scattered(round) + static_cast<std::size_t>(distance)) % kWorkloads;
    request.peer = &workloads[peer];
    request.peer_address = {workloads[peer].addresses[0], 40000};
    request.peer_kind = NetworkRequest::PeerKind::workload;
    request.port = 8080;
    return static_cast<std::uint64_t>(judge_network_policy(network, request).denied());
  };
  fmt::print("{} workloads, {} policies of each kind, ten of them for each pod\n", kWorkloads,
             kPolicies);
  measure("EgressPolicy, allowed by a host name", kRounds,
          [&](int round) { return ask_egress(round, hosts); });
  measure("EgressPolicy, denied by default (all ten looked at)", kRounds,
          [&](int round) { return ask_egress(round, {}); });
  measure("NetworkPolicy, allowed by the first", kRounds,
          [&](int round) { return ask_network(round, 1); });
  measure("NetworkPolicy, denied (all ten looked at)", kRounds,
          [&](int round) { return ask_network(round, 2); });
  measure("comparing two equal books of EgressPolicies", 20, [&](int) {
    static const EgressBook other = egress_book(workloads);
    return static_cast<std::uint64_t>(egress == other);
  });
  return 0;
}
