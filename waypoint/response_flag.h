// Why a request ended as it did, in the words of Envoy's access log, which people know and tools
// read. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace aquifer::waypoint {

/// One bit each: several may hold.
enum class Flag : std::uint32_t {
  none = 0,
  no_healthy_upstream = 1 << 0,              ///< UH
  upstream_connection_failure = 1 << 1,      ///< UF
  upstream_overflow = 1 << 2,                ///< UO: a circuit is open
  no_route = 1 << 3,                         ///< NR
  no_cluster = 1 << 4,                       ///< NC
  upstream_connection_termination = 1 << 5,  ///< UC
  upstream_remote_reset = 1 << 6,            ///< UR
  local_reset = 1 << 7,                      ///< LR
  upstream_timeout = 1 << 8,                 ///< UT
  retry_limit = 1 << 9,                      ///< URX
  downstream_termination = 1 << 10,          ///< DC
  delay_injected = 1 << 11,                  ///< DI
  fault_injected = 1 << 12,                  ///< FI
  downstream_protocol_error = 1 << 13,       ///< DPE
  upstream_protocol_error = 1 << 14,         ///< UPE
  unauthorized = 1 << 15,                    ///< UAEX
  request_header_fields = 1 << 16,           ///< IH
};

class Flags {
 public:
  void set(Flag flag) noexcept { bits_ |= static_cast<std::uint32_t>(flag); }
  [[nodiscard]] bool has(Flag flag) const noexcept {
    return (bits_ & static_cast<std::uint32_t>(flag)) != 0;
  }
  [[nodiscard]] std::uint32_t bits() const noexcept { return bits_; }

 private:
  std::uint32_t bits_ = 0;
};

/// "UF,URX"; "-" for none.
[[nodiscard]] std::string to_string(Flags flags);

}  // namespace aquifer::waypoint
