// The numbers of a session. Two constant sets serve all tunnels; tests make their own.
#pragma once

#include "common/hbone/flood_guard.h"
#include "common/hbone/frame.h"

#include <cstdint>

namespace aquifer::hbone {

enum class Role : std::uint8_t { client, server };

struct SessionConfig {
  Role role = Role::client;
  /// What we announce. header_table_size 0: our side of HPACK then has no state between blocks.
  Settings local;
  /// Ceiling for a stream's receive window; it starts at local.initial_window_size.
  std::uint32_t stream_window_max = std::uint32_t{4} << 20;
  /// The connection's receive window at first, and its ceiling.
  std::uint32_t connection_window = std::uint32_t{1} << 20;
  std::uint32_t connection_window_max = std::uint32_t{16} << 20;
  /// What all inboxes of the session together may hold.
  std::uint32_t undrained_max = std::uint32_t{16} << 20;
  /// Streams a client may open before the peer's SETTINGS are there.
  std::uint32_t peer_streams_assumed = 100;
  FloodLimits flood;

  /// As ztunnel's, see the constants beside their definition.
  [[nodiscard]] static const SessionConfig& client() noexcept;
  [[nodiscard]] static const SessionConfig& server() noexcept;
};

}  // namespace aquifer::hbone
