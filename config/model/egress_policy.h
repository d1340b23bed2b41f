// One EgressPolicy (aquifer.dev/v1alpha1) as values. docs/egress-policy.md says what each field
// means.
#pragma once

#include "common/base/address.h"
#include "config/model/enforcement.h"
#include "config/model/workload_groups.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::model {

enum class EgressAction : std::uint8_t { allow, deny };
[[nodiscard]] std::string_view name_of(EgressAction action) noexcept;  ///< "ALLOW", "DENY"

/// A host name as policies write it: "api.example.com", "*.example.com" (every name below it, at
/// any depth, not itself) or "*" (every name, but some name).
class HostPattern {
 public:
  /// `text` is as written, any case, perhaps with a final dot. None: it is none of the three.
  [[nodiscard]] static std::optional<HostPattern> parse(std::string_view text);
  /// `name` in any case, without a final dot.
  [[nodiscard]] bool matches(std::string_view name) const noexcept;
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  friend bool operator==(const HostPattern&, const HostPattern&) = default;

 private:
  std::string text_;  // lower case; with its "*" where it has one
};

/// Which services: "NAMESPACE/NAME" or "NAMESPACE/*", or a host name with or without a wildcard.
struct ServicePattern {
  /// Empty: `host` decides.
  std::string ns;
  /// "*": every one of the namespace. Empty exactly when `ns` is.
  std::string name;
  HostPattern host;
  [[nodiscard]] bool matches(std::string_view service_ns, std::string_view service_name,
                             std::string_view hostname) const noexcept;
  [[nodiscard]] std::string text() const;
  friend bool operator==(const ServicePattern&, const ServicePattern&) = default;
};

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  [[nodiscard]] bool contains(std::uint16_t port) const noexcept {
    return first <= port && port <= last;
  }
  [[nodiscard]] std::string text() const;
  friend bool operator==(const PortRange&, const PortRange&) = default;
};

/// A field and its negation: matches what is one of `any_of` (if there are any) and none of
/// `none_of`.
template <typename Value>
struct Choice {
  std::vector<Value> any_of;
  std::vector<Value> none_of;
  [[nodiscard]] bool empty() const noexcept { return any_of.empty() && none_of.empty(); }
  friend bool operator==(const Choice&, const Choice&) = default;
};

/// One entry of `to`: a destination matches it when every field that is given matches.
struct EgressTarget {
  Choice<ServicePattern> services;
  Choice<HostPattern> hosts;
  Choice<HostPattern> server_names;
  Choice<Cidr> cidrs;
  Choice<PortRange> ports;
  friend bool operator==(const EgressTarget&, const EgressTarget&) = default;
};

struct EgressRule {
  EgressAction action = EgressAction::allow;
  /// Any of them; none at all: every destination.
  std::vector<EgressTarget> to;
  friend bool operator==(const EgressRule&, const EgressRule&) = default;
};

struct EgressPolicy {
  std::string ns;
  std::string name;
  /// Whom it selects: `group` where it has a selector, else `selected_ns`, else the mesh.
  std::optional<GroupId> group;
  /// Empty for a policy of the root namespace.
  std::string selected_ns;
  Enforcement enforcement = Enforcement::enforced;
  /// What it says of a destination that no ALLOW rule of any policy matches.
  EgressAction fallback = EgressAction::allow;
  std::vector<EgressRule> rules;

  [[nodiscard]] std::string full_name() const { return ns + "/" + name; }
  friend bool operator==(const EgressPolicy&, const EgressPolicy&) = default;
};

}  // namespace aquifer::model
