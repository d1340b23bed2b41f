// A hash that is the same in every process, build and machine: replicas of a waypoint must agree
// where a session belongs. Not for tables whose keys an adversary chooses.
#pragma once

#include <cstdint>
#include <string_view>

namespace aquifer::waypoint {

[[nodiscard]] std::uint64_t stable_hash(std::string_view text, std::uint64_t seed = 0) noexcept;

/// An endpoint's name for rings, tables and sessions.
[[nodiscard]] std::uint64_t stable_endpoint_id(std::string_view workload_uid,
                                               std::uint16_t port) noexcept;

}  // namespace aquifer::waypoint
