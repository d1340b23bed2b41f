// What a workload may reach: egress policies as an index, and the decision on them. Pure; any
// thread.
#pragma once

#include "common/base/address.h"
#include "config/model/egress_policy.h"
#include "config/model/service.h"
#include "config/model/workload.h"
#include "config/model/workload_groups.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::model {

/// A service that some rule names, as one of its endpoints knows it.
struct BackedService {
  std::string ns;
  std::string name;
  std::string hostname;
  /// The endpoint's ports that serve it.
  std::vector<std::uint16_t> ports;
  friend bool operator==(const BackedService&, const BackedService&) = default;
};

/// All egress policies of one version of the mesh. Immutable once it is in a snapshot.
class EgressBook {
 public:
  /// By workload uid: the services that rules name and that the workload is an endpoint of, so that
  /// a service is recognised also when one of its pods is dialled by address.
  using Backing = TextMap<std::vector<BackedService>>;

  EgressBook() = default;
  EgressBook(std::vector<EgressPolicy> policies, WorkloadGroups groups, Backing backing);

  [[nodiscard]] bool empty() const noexcept { return policies_.empty(); }
  /// Is any policy only there to be logged?
  [[nodiscard]] bool has_dry_run() const noexcept { return has_dry_run_; }
  /// Sorted by namespace and name.
  [[nodiscard]] std::span<const EgressPolicy> policies() const noexcept { return policies_; }
  /// Those that select `source`, sorted by namespace and name. Costs what it finds.
  [[nodiscard]] std::vector<const EgressPolicy*> selecting(const Workload& source) const;
  [[nodiscard]] std::span<const BackedService> backed_by(std::string_view uid) const noexcept;

  friend bool operator==(const EgressBook& a, const EgressBook& b) {
    return a.policies_ == b.policies_ && a.groups_ == b.groups_ && a.backing_ == b.backing_;
  }

 private:
  using Positions = std::vector<std::uint32_t>;
  std::vector<EgressPolicy> policies_;
  WorkloadGroups groups_;
  Backing backing_;
  Positions for_mesh_;
  TextMap<Positions> for_namespace_;
  std::vector<Positions> for_group_;
  bool has_dry_run_ = false;
};

using EgressBookPtr = std::shared_ptr<const EgressBook>;
using HostName = std::shared_ptr<const std::string>;

/// The name that the client's TLS ClientHello gave.
struct ServerName {
  enum class State : std::uint8_t {
    not_looked_at,
    absent,  ///< the first bytes are no ClientHello, or one without a name
    known,
  };
  State state = State::not_looked_at;
  /// Meaningful exactly when known.
  std::string_view name;
};

/// One connection that a pod opens. Everything is borrowed for the time of the decision.
struct EgressRequest {
  /// The captured pod. Never null.
  const Workload* source = nullptr;
  /// What the pod dialled.
  SocketAddress dialled;
  /// Where the application is that was chosen for it; the same as `dialled` when there was no
  /// choice.
  SocketAddress endpoint;
  /// Null when `dialled` is not a service's address.
  const Service* service = nullptr;
  /// Null when the mesh knows nothing there.
  const Workload* destination = nullptr;
  /// What the pod resolved to the dialled address, newest first.
  std::span<const HostName> hosts;
  ServerName server_name;
};

enum class EgressOutcome : std::uint8_t {
  allowed,
  denied,
  needs_server_name,  ///< a rule with a server name could still change the answer: look, ask again
};

enum class EgressReason : std::uint8_t {
  unrestricted,  ///< no policy says otherwise
  rule,          ///< a rule matched
  fallback,      ///< no ALLOW rule matched, and `policy` denies by default
};

/// The decision and who took it. The pointer lives as long as the book.
struct EgressVerdict {
  EgressOutcome outcome = EgressOutcome::allowed;
  EgressReason reason = EgressReason::unrestricted;
  /// The policy that decided, or (needs_server_name) whose rule asks. Null when unrestricted.
  const EgressPolicy* policy = nullptr;
  /// Meaningful when the reason is a rule: its place, and that of the entry of `to` that matched (0
  /// when it has none).
  std::size_t rule = 0;
  std::size_t target = 0;
};

/// The decision by the policies that are enforced.
[[nodiscard]] EgressVerdict judge_egress(const EgressBook& book, const EgressRequest& request);
/// The decision if the policies in dry run were enforced too.
[[nodiscard]] EgressVerdict judge_egress_dry_run(const EgressBook& book,
                                                 const EgressRequest& request);

/// "shop/web rules[1].to[0]" or "shop/web default": the place of a verdict with a policy.
[[nodiscard]] std::string place_of(const EgressVerdict& verdict);
/// The destination as people know it: address, service, every host name, server name.
[[nodiscard]] std::string describe_destination(const EgressRequest& request);

/// What one policy says of a connection on its own, for people who ask why.
struct EgressPolicyTrace {
  enum class Finding : std::uint8_t { allows, denies, needs_server_name, no_rule_matches };
  const EgressPolicy* policy = nullptr;
  Finding finding = Finding::no_rule_matches;
  /// As in EgressVerdict; meaningful unless no rule matches.
  std::size_t rule = 0;
  std::size_t target = 0;
  /// The ALLOW rule that comes nearest and what would have to be different: "rules[0].to[1] would
  /// match if the port were 443". Empty when one matches or there is none.
  std::string nearest_miss;
};

struct EgressTrace {
  EgressVerdict verdict;
  EgressVerdict dry_run_verdict;
  /// Every policy that selects the source, also those in dry run.
  std::vector<EgressPolicyTrace> policies;
};

[[nodiscard]] EgressTrace trace_egress(const EgressBook& book, const EgressRequest& request);

}  // namespace aquifer::model
