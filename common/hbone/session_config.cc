#include "common/hbone/session_config.h"

namespace aquifer::hbone {
namespace {

// Numbers of the peer (ztunnel) that it must be possible to meet: frames up to 1 MiB, windows as
// ceilings. The first stream window is smaller than its 4 MiB: 200 stalled streams then hold 12.5
// MiB instead of 800.
constexpr std::uint32_t kFirstStreamWindow = 64 * 1024;
constexpr std::uint32_t kMaxFrameSize = 1024 * 1024;

SessionConfig make(Role role) noexcept {
  SessionConfig config;
  config.role = role;
  config.local.header_table_size = 0;
  config.local.initial_window_size = kFirstStreamWindow;
  config.local.max_frame_size = kMaxFrameSize;
  if (role == Role::client) {
    config.local.enable_push = 0;
    config.local.max_header_list_size = 16 * 1024;
  } else {
    config.local.max_concurrent_streams = 200;
    config.local.max_header_list_size = 64 * 1024;
  }
  return config;
}

}  // namespace

const SessionConfig& SessionConfig::client() noexcept {
  static const SessionConfig config = make(Role::client);
  return config;
}

const SessionConfig& SessionConfig::server() noexcept {
  static const SessionConfig config = make(Role::server);
  return config;
}

}  // namespace aquifer::hbone
