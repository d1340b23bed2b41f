// A workload's identity in Istio's form of a SPIFFE id:
// spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT. A plain value that any thread may hold;
// certificates carry it, policies and labels compare it.
#pragma once

#include "common/base/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace aquifer {

/// A parsed identity. Comparison is exact, byte by byte: SPIFFE ids have one spelling.
class SpiffeId {
 public:
  /// No identity: `empty()`, equal only to another empty one. parse() and make() never yield it.
  SpiffeId() noexcept = default;

  /// Accepts exactly `spiffe://TD/ns/NS/sa/SA`: five parts, none empty, no query, no fragment, no
  /// percent-encoding.
  [[nodiscard]] static Result<SpiffeId> parse(std::string_view uri);
  /// The same rules for the three parts.
  [[nodiscard]] static Result<SpiffeId> make(std::string_view trust_domain, std::string_view ns,
                                             std::string_view service_account);

  [[nodiscard]] bool empty() const noexcept { return uri_.empty(); }
  [[nodiscard]] std::string_view trust_domain() const noexcept;
  [[nodiscard]] std::string_view ns() const noexcept;
  [[nodiscard]] std::string_view service_account() const noexcept;
  /// With the scheme: "spiffe://cluster.local/ns/default/sa/client". Certificates, logs and metrics
  /// use this form.
  [[nodiscard]] const std::string& to_string() const noexcept { return uri_; }
  /// Without the scheme: "cluster.local/ns/default/sa/client". Authorization policies match this
  /// form.
  [[nodiscard]] std::string_view principal() const noexcept;

  friend bool operator==(const SpiffeId& a, const SpiffeId& b) noexcept { return a.uri_ == b.uri_; }
  friend std::strong_ordering operator<=>(const SpiffeId& a, const SpiffeId& b) noexcept {
    return a.uri_ <=> b.uri_;
  }

 private:
  SpiffeId(std::string uri, std::size_t trust_domain_bytes, std::size_t namespace_bytes) noexcept;

  // One string and the lengths of its first two variable parts: every form is a view of it.
  std::string uri_;
  std::uint16_t trust_domain_bytes_ = 0;
  std::uint16_t namespace_bytes_ = 0;
};

}  // namespace aquifer

template <>
struct std::hash<aquifer::SpiffeId> {
  std::size_t operator()(const aquifer::SpiffeId& id) const noexcept {
    return std::hash<std::string_view>()(id.to_string());
  }
};
