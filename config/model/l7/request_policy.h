// AuthorizationPolicy as a waypoint keeps it: rules over whole requests, and what is left of them
// for connections that are not HTTP. Plain values, immutable once they are in a book.
#pragma once

#include "config/model/enforcement.h"
#include "config/model/l7/expression.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::l7 {

/// What a policy is attached to.
struct SecurityTarget {
  enum class Kind : std::uint8_t {
    mesh,     ///< every waypoint; `name` is empty
    gateway,  ///< NAMESPACE/NAME
    service,  ///< model::service_key()
  };
  Kind kind = Kind::gateway;
  std::string name;
  friend auto operator<=>(const SecurityTarget&, const SecurityTarget&) = default;
};

/// In the order in which they are asked.
enum class RequestAction : std::uint8_t {
  custom,  ///< somebody outside decides; nobody is asked yet, so what matches is refused
  audit,   ///< decides nothing
  deny,
  allow,
};
/// "CUSTOM", "AUDIT", "DENY", "ALLOW".
[[nodiscard]] std::string_view name_of(RequestAction action) noexcept;

/// True when one of the permissions and one of the principals is. Neither list is empty.
struct RequestRule {
  /// Its place in the manifest.
  std::size_t number = 0;
  std::vector<Expression> permissions;
  std::vector<Expression> principals;
  friend bool operator==(const RequestRule&, const RequestRule&) = default;
};

[[nodiscard]] bool matches(const RequestRule& rule, const SecurityQuestion& question);

/// A rule for connections that are not HTTP. One of an ALLOW policy that asks anything of a request
/// matches none of them: nothing. In the others such conditions are left out, so that they match
/// more: whatever a client speaks, it does not get past a rule about HTTP.
[[nodiscard]] std::optional<RequestRule> for_connections(const RequestRule& rule,
                                                         RequestAction action);

struct RequestPolicy {
  std::string ns;
  std::string name;
  RequestAction action = RequestAction::allow;
  model::Enforcement enforcement = model::Enforcement::enforced;
  std::vector<SecurityTarget> targets = {};
  /// One of them must match; a policy without any never matches.
  std::vector<RequestRule> requests = {};
  std::vector<RequestRule> connections = {};

  [[nodiscard]] bool dry_run() const noexcept { return enforcement == model::Enforcement::dry_run; }
  /// NAMESPACE/NAME.
  [[nodiscard]] std::string key() const;
  /// "ns[NS]-policy[NAME]-rule[0]", as Istio calls it in logs.
  [[nodiscard]] std::string rule_name(std::size_t number) const;
  friend bool operator==(const RequestPolicy&, const RequestPolicy&) = default;
};

using RequestPolicyPtr = std::shared_ptr<const RequestPolicy>;

}  // namespace aquifer::l7
