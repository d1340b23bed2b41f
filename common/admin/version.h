// What this build is.
#pragma once

#include <string>
#include <string_view>

namespace aquifer::admin {

/// Of `program`, "ztunnel" or "waypoint": "aquifer ztunnel 0.1.0 (clang 19.1.7, OpenSSL 3.0.22)"
[[nodiscard]] std::string version_line(std::string_view program);
/// The same as a JSON object.
[[nodiscard]] std::string version_json(std::string_view program);

}  // namespace aquifer::admin
