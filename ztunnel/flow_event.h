// One thing that happened to a connection of a captured pod, as `flows` and `refusals` tell it.
// Values; shared records only as const, so that they may cross threads.
#pragma once

#include "common/base/time.h"
#include "ztunnel/connection.h"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aquifer::ztunnel {

enum class FlowKind : std::uint8_t {
  open,     ///< nothing happened: it is there
  opened,   ///< its other end was reached, bytes may flow
  ended,    ///< it was open, and is no more
  failed,   ///< its other end was not reached
  refused,  ///< it was not allowed, or could not be understood
};
[[nodiscard]] std::string_view name_of(FlowKind kind) noexcept;

enum class Verdict : std::uint8_t { allowed, denied };
[[nodiscard]] std::string_view name_of(Verdict verdict) noexcept;

struct FlowEvent {
  FlowKind kind = FlowKind::open;
  Verdict verdict = Verdict::allowed;
  std::chrono::system_clock::time_point at;
  ConnectionFacts facts;
  std::uint64_t bytes_sent = 0;  ///< by the pod
  std::uint64_t bytes_received = 0;
  Duration age{};
  /// Of what is not well: the access log's words, the policy that decided (NAMESPACE/NAME), and
  /// what would have had to be different.
  std::string reason;
  std::string policy;
  std::string detail;
};

/// The captured pod whose connection it is, as NAMESPACE/NAME.
[[nodiscard]] std::string pod_of(const ConnectionFacts& facts);

/// Which events somebody wants to see.
struct FlowFilter {
  std::string pod;  ///< NAMESPACE/NAME, or empty for all
  std::optional<Verdict> verdict;

  [[nodiscard]] bool wants(const FlowEvent& event) const;
};

/// "same-node", "hbone", "tcp".
[[nodiscard]] std::string_view transport_name(const ConnectionFacts& facts) noexcept;

/// The names of the fields are a promise: docs/answers.md lists them.
[[nodiscard]] nlohmann::json to_json(const FlowEvent& event);
/// "2026-11-22T22:37:40.560387Z"
[[nodiscard]] std::string rfc3339(std::chrono::system_clock::time_point at);

}  // namespace aquifer::ztunnel
