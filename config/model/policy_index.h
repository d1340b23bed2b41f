// A set of policies prepared for quick decisions: each rule is filed under the rarest values that a
// connection must have for it to match, so that a connection looks only at the rules filed under
// its own values and at those that could not be filed. Immutable, hence any thread.
#pragma once

#include "config/model/authorization_match.h"
#include "config/model/authorization_policy.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::model {

/// Which policies of a set count for a request: all, or those that the workload's record names.
enum class Considered : std::uint8_t { all, named };

[[nodiscard]] bool concerns(const AuthorizationPolicy& policy, const Workload& workload,
                            Considered considered);

/// The rules of some policies.
class RuleIndex {
 public:
  /// `policies` are sorted by name and outlive the index.
  explicit RuleIndex(std::vector<const AuthorizationPolicy*> policies);

  struct Hit {
    const AuthorizationPolicy* policy = nullptr;
    std::size_t rule = 0;
  };
  /// The first policy by name that matches, and its first rule that does.
  [[nodiscard]] std::optional<Hit> find(const AuthorizationRequest& request,
                                        Considered considered) const;
  /// Does any of the policies count, matching or not?
  [[nodiscard]] bool concerns(const AuthorizationRequest& request, Considered considered) const;

  [[nodiscard]] bool empty() const noexcept { return members_.empty(); }
  [[nodiscard]] std::span<const AuthorizationPolicy* const> policies() const noexcept {
    return members_;
  }
  /// Rules that every connection has to look at; for tests.
  [[nodiscard]] std::size_t unfiled() const noexcept { return unfiled_.size(); }

 private:
  struct RuleRef {
    std::uint32_t member;
    std::uint32_t rule;
  };
  // One value of the table: its rules stand in filed_ from `begin`. Free when `count` is 0.
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t begin = 0;
    std::uint32_t count = 0;
  };
  struct Filing;  // a value and a rule, while the index is built

  void build_table(std::vector<Filing>& filings);
  [[nodiscard]] std::span<const std::uint32_t> filed_under(std::uint64_t hash) const noexcept;
  // Calls `visit(numbers of rules)` until every rule that may match was named; rising in each call.
  template <typename Visit>
  void for_each_candidates(const AuthorizationRequest& request, Visit&& visit) const;

  std::vector<const AuthorizationPolicy*> members_;
  // NAMESPACE/NAME of each member.
  std::vector<std::string> keys_;
  // By policy, then by rule: the first that matches is the first by name.
  std::vector<RuleRef> rules_;
  std::vector<Slot> table_;
  std::vector<std::uint32_t> filed_;
  std::vector<std::uint32_t> unfiled_;
  // The kinds of values that occur and, where a value is a prefix, a suffix or a network, their
  // lengths: each of these is one look-up.
  struct KindLength {
    std::uint8_t kind;
    std::uint16_t length;
    friend auto operator<=>(const KindLength&, const KindLength&) = default;
  };
  std::vector<KindLength> lengths_;
};

/// Policies of one scope and one namespace.
class PolicySet {
 public:
  /// In any order.
  explicit PolicySet(std::vector<AuthorizationPolicyPtr> policies);
  PolicySet(const PolicySet&) = delete;
  PolicySet& operator=(const PolicySet&) = delete;

  /// Sorted by name.
  [[nodiscard]] std::span<const AuthorizationPolicyPtr> policies() const noexcept {
    return policies_;
  }
  [[nodiscard]] const RuleIndex& rules(AuthorizationAction action,
                                       Enforcement enforcement) const noexcept;
  /// Null when there is none.
  [[nodiscard]] AuthorizationPolicyPtr find(std::string_view name) const;

  friend bool operator==(const PolicySet& a, const PolicySet& b) noexcept;

 private:
  std::vector<AuthorizationPolicyPtr> policies_;
  RuleIndex deny_;
  RuleIndex allow_;
  RuleIndex dry_run_deny_;
  RuleIndex dry_run_allow_;
};

using PolicySetPtr = std::shared_ptr<const PolicySet>;

}  // namespace aquifer::model
