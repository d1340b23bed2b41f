// Kubernetes NetworkPolicy as values, and the decision on them. Peers are workloads, told by
// identity; docs/egress-policy.md says where that differs from a CNI. Pure; any thread.
#pragma once

#include "common/base/address.h"
#include "config/model/workload.h"
#include "config/model/workload_groups.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace aquifer::model {

/// Addresses of what is no workload.
struct AddressBlock {
  Cidr block;
  std::vector<Cidr> except;
  friend bool operator==(const AddressBlock&, const AddressBlock&) = default;
};

/// Workloads that selectors select, or addresses.
using NetworkPeer = std::variant<GroupId, AddressBlock>;

/// TCP ports of the destination pod: a range, or (name not empty) what its containers call so.
struct NetworkPort {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  std::string name;
  friend bool operator==(const NetworkPort&, const NetworkPort&) = default;
};

struct NetworkRule {
  /// Matches every peer, or every port, exactly when there is no list of them. A list may have
  /// become empty because nothing of it can ever match (UDP ports).
  std::optional<std::vector<NetworkPeer>> peers;
  std::optional<std::vector<NetworkPort>> ports;
  friend bool operator==(const NetworkRule&, const NetworkRule&) = default;
};

/// Seen from the selected pod.
enum class NetworkDirection : std::uint8_t { ingress, egress };

struct NetworkPolicy {
  std::string ns;
  std::string name;
  GroupId selected = 0;
  /// None: the policy says nothing about that direction. Empty: it allows nothing there.
  std::optional<std::vector<NetworkRule>> ingress;
  std::optional<std::vector<NetworkRule>> egress;

  [[nodiscard]] std::string full_name() const { return ns + "/" + name; }
  [[nodiscard]] const std::optional<std::vector<NetworkRule>>& rules(
      NetworkDirection direction) const noexcept {
    return direction == NetworkDirection::ingress ? ingress : egress;
  }
  friend bool operator==(const NetworkPolicy&, const NetworkPolicy&) = default;
};

/// A port of a pod that its manifest gives a name.
struct PodPort {
  std::string name;
  std::uint16_t port = 0;
  friend bool operator==(const PodPort&, const PodPort&) = default;
};

/// All network policies of one version of the mesh. Immutable once it is in a snapshot.
class NetworkPolicyBook {
 public:
  /// By workload uid.
  using NamedPorts = TextMap<std::vector<PodPort>>;

  /// By uid of a pod that a policy selects: the addresses of its node.
  using NodeAddresses = TextMap<std::vector<IpAddress>>;

  NetworkPolicyBook() = default;
  NetworkPolicyBook(std::vector<NetworkPolicy> policies, WorkloadGroups groups,
                    NamedPorts named_ports, NodeAddresses node_addresses = {});

  [[nodiscard]] bool empty() const noexcept { return policies_.empty(); }
  /// Sorted by namespace and name.
  [[nodiscard]] std::span<const NetworkPolicy> policies() const noexcept { return policies_; }
  /// Those that select `local` and say something about `direction`, sorted. Costs what it finds.
  [[nodiscard]] std::vector<const NetworkPolicy*> isolating(const Workload& local,
                                                            NetworkDirection direction) const;
  [[nodiscard]] const WorkloadGroups& groups() const noexcept { return groups_; }
  [[nodiscard]] std::span<const PodPort> named_ports(std::string_view uid) const noexcept;
  [[nodiscard]] bool is_own_node(const Workload& local, const IpAddress& address) const noexcept;

  friend bool operator==(const NetworkPolicyBook& a, const NetworkPolicyBook& b) {
    return a.policies_ == b.policies_ && a.groups_ == b.groups_ &&
           a.named_ports_ == b.named_ports_ && a.node_addresses_ == b.node_addresses_;
  }

 private:
  std::vector<NetworkPolicy> policies_;
  WorkloadGroups groups_;
  NamedPorts named_ports_;
  NodeAddresses node_addresses_;
  std::vector<std::vector<std::uint32_t>> for_group_;
};

using NetworkPolicyBookPtr = std::shared_ptr<const NetworkPolicyBook>;

/// One connection as the policies of one end see it. Everything is borrowed.
struct NetworkRequest {
  NetworkDirection direction = NetworkDirection::ingress;
  /// The captured pod whose policies are asked. Never null.
  const Workload* local = nullptr;
  /// Who is at the other end, as far as it is known for sure; null: nobody whom a selector could
  /// select.
  const Workload* peer = nullptr;
  SocketAddress peer_address;
  /// Is `peer_address` one of a workload? Then no ipBlock matches it.
  enum class PeerKind : std::uint8_t { workload, stranger } peer_kind = PeerKind::stranger;
  /// The destination pod's own port: of `local` on ingress, of the peer on egress.
  std::uint16_t port = 0;
};

struct NetworkVerdict {
  enum class Outcome : std::uint8_t {
    not_isolated,  ///< no policy selects the pod for this direction: allowed
    allowed,       ///< by `policy` and its `rule`
    itself,        ///< a pod always reaches itself
    own_node,      ///< a pod and its node always reach each other
    denied,        ///< none of `policies` allows it
  };
  Outcome outcome = Outcome::not_isolated;
  /// Meaningful when a rule allowed it.
  const NetworkPolicy* policy = nullptr;
  std::size_t rule = 0;
  /// When denied: all that select the pod.
  std::vector<const NetworkPolicy*> policies;

  [[nodiscard]] bool denied() const noexcept { return outcome == Outcome::denied; }
};

[[nodiscard]] NetworkVerdict judge_network_policy(const NetworkPolicyBook& book,
                                                  const NetworkRequest& request);

/// "not allowed by any of the network policies shop/web, shop/base": a denial's reason.
[[nodiscard]] std::string describe_denial(const NetworkVerdict& verdict);

struct NetworkPolicyTrace {
  const NetworkPolicy* policy = nullptr;
  /// The rule that allows it; none: the policy does not.
  std::optional<std::size_t> rule;
  /// The rule that comes nearest and what would have to be different; empty when one matches or
  /// there is none.
  std::string nearest_miss;
};

struct NetworkTrace {
  NetworkVerdict verdict;
  /// Every policy that isolates the pod in this direction.
  std::vector<NetworkPolicyTrace> policies;
};

[[nodiscard]] NetworkTrace trace_network_policy(const NetworkPolicyBook& book,
                                                const NetworkRequest& request);

}  // namespace aquifer::model
