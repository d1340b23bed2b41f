// AuthorizationPolicy as the proxy keeps it: Istio's L4 form, where every string was parsed and
// every HTTP attribute is gone. Plain values, immutable once they are in a book.
#pragma once

#include "common/base/address.h"
#include "config/model/enforcement.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::model {

/// Text compared in one of four ways.
struct StringMatch {
  enum class Kind : std::uint8_t {
    exact,
    prefix,
    suffix,
    presence,  ///< anything but nothing; `text` is empty
  };
  Kind kind = Kind::exact;
  std::string text;

  [[nodiscard]] bool matches(std::string_view value) const noexcept;
  /// As Istio writes it: `text`, `text*`, `*text`, `*`.
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const StringMatch&, const StringMatch&) = default;
};

struct ServiceAccountMatch {
  std::string ns;
  std::string name;
  friend bool operator==(const ServiceAccountMatch&, const ServiceAccountMatch&) = default;
};

/// A list of values and the list of those that must not be. An empty list asks for nothing.
template <typename T>
struct Constraint {
  std::vector<T> any_of;
  std::vector<T> none_of;

  [[nodiscard]] bool empty() const noexcept { return any_of.empty() && none_of.empty(); }
  friend bool operator==(const Constraint&, const Constraint&) = default;
};

/// True when every field is satisfied. One without any constraint matches NOTHING: such a match is
/// what is left of a condition that the proxy cannot check.
struct AuthorizationMatch {
  /// SPIFFE ids without `spiffe://`.
  Constraint<StringMatch> principals;
  Constraint<StringMatch> namespaces;
  Constraint<ServiceAccountMatch> service_accounts;
  Constraint<Cidr> source_ips;
  Constraint<Cidr> destination_ips;
  Constraint<std::uint16_t> destination_ports;

  [[nodiscard]] bool empty() const noexcept;
  friend bool operator==(const AuthorizationMatch&, const AuthorizationMatch&) = default;
};

/// One of its matches must be true; a clause without any is true. Istio's `from`, `to`, and each
/// `when`.
using AuthorizationClause = std::vector<AuthorizationMatch>;
/// All of its clauses must be true; a rule without any is true.
using AuthorizationRule = std::vector<AuthorizationClause>;

enum class AuthorizationAction : std::uint8_t { allow, deny };
enum class AuthorizationScope : std::uint8_t {
  global,             ///< every workload of the mesh
  ns,                 ///< every workload of the policy's namespace
  workload_selector,  ///< workloads whose record names it
};
struct AuthorizationPolicy {
  std::string ns;
  std::string name;
  AuthorizationScope scope = AuthorizationScope::ns;
  AuthorizationAction action = AuthorizationAction::allow;
  Enforcement enforcement = Enforcement::enforced;
  /// One of them must be true; a policy without any never matches.
  std::vector<AuthorizationRule> rules;

  /// NAMESPACE/NAME: how workloads and people name it.
  [[nodiscard]] std::string key() const;
  [[nodiscard]] bool dry_run() const noexcept { return enforcement == Enforcement::dry_run; }
  friend bool operator==(const AuthorizationPolicy&, const AuthorizationPolicy&) = default;
};

using AuthorizationPolicyPtr = std::shared_ptr<const AuthorizationPolicy>;

/// "ALLOW", "DENY".
[[nodiscard]] std::string_view name_of(AuthorizationAction action) noexcept;
/// "Global", "Namespace", "WorkloadSelector": the spelling of the configuration dump.
[[nodiscard]] std::string_view name_of(AuthorizationScope scope) noexcept;

/// `rules[1].from`, `rules[0].when`: which clause of a policy, in the words of its manifest. The
/// part is told from what the clause compares.
[[nodiscard]] std::string clause_name(const AuthorizationPolicy& policy, std::size_t rule,
                                      std::size_t clause);

}  // namespace aquifer::model
