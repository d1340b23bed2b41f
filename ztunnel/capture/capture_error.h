// What capturing a pod can fail with. Unlike Error it carries text, because the reason comes from
// another program (iptables) and is what the user needs; it happens once per pod, never on a data
// path.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace aquifer::ztunnel {

enum class CaptureFailure : std::uint8_t {
  /// Somebody else (istio-cni, a sidecar's init container) captures this pod already. Trying again
  /// does not help.
  conflict,
  /// No usable iptables on this node, or the kernel lacks what the rules need.
  unsupported,
  /// iptables or the kernel refused; the reason says what. Another try may succeed.
  refused,
  /// iptables did not end in time and was killed.
  timed_out,
  /// The namespace could not be entered.
  name_space,
};

struct CaptureError {
  CaptureFailure failure;
  /// One line for people, at most a few hundred bytes, without control characters.
  std::string reason;
};

template <typename T>
using CaptureResult = std::expected<T, CaptureError>;

using CaptureStatus = CaptureResult<void>;

[[nodiscard]] inline std::unexpected<CaptureError> capture_fail(CaptureFailure failure,
                                                                std::string reason) {
  return std::unexpected(CaptureError{failure, std::move(reason)});
}

}  // namespace aquifer::ztunnel
