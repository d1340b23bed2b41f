#include "waypoint/response_flag.h"

#include <array>
#include <utility>

namespace aquifer::waypoint {
namespace {

constexpr std::array kNames{
    std::pair{Flag::no_healthy_upstream, "UH"},
    std::pair{Flag::upstream_connection_failure, "UF"},
    std::pair{Flag::upstream_overflow, "UO"},
    std::pair{Flag::no_route, "NR"},
    std::pair{Flag::no_cluster, "NC"},
    std::pair{Flag::upstream_connection_termination, "UC"},
    std::pair{Flag::upstream_remote_reset, "UR"},
    std::pair{Flag::local_reset, "LR"},
    std::pair{Flag::upstream_timeout, "UT"},
    std::pair{Flag::retry_limit, "URX"},
    std::pair{Flag::downstream_termination, "DC"},
    std::pair{Flag::delay_injected, "DI"},
    std::pair{Flag::fault_injected, "FI"},
    std::pair{Flag::downstream_protocol_error, "DPE"},
    std::pair{Flag::upstream_protocol_error, "UPE"},
    std::pair{Flag::unauthorized, "UAEX"},
    std::pair{Flag::request_header_fields, "IH"},
};

}  // namespace

std::string to_string(Flags flags) {
  std::string text;
  for (const auto& [flag, name] : kNames) {
    if (!flags.has(flag)) continue;
    if (!text.empty()) text.append(",");
    text.append(name);
  }
  return text.empty() ? "-" : text;
}

}  // namespace aquifer::waypoint
