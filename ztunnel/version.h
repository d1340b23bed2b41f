// What this build is.
#pragma once

#include <string>

namespace aquifer::ztunnel {

/// "aquifer ztunnel 0.1.0 (clang 19.1.7, OpenSSL 3.0.22)"
[[nodiscard]] std::string version_line();
/// The same as a JSON object.
[[nodiscard]] std::string version_json();

}  // namespace aquifer::ztunnel
