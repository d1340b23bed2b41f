#include "ztunnel/version.h"

#include "common/tls/handles.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace aquifer::ztunnel {
namespace {

constexpr const char* kVersion = AQUIFER_VERSION;

}  // namespace

std::string version_line() {
  return fmt::format("aquifer ztunnel {} (clang {}, {})", kVersion, __clang_version__,
                     tls::library_version());
}

std::string version_json() {
  const nlohmann::json json{{"name", "aquifer ztunnel"},
                            {"version", kVersion},
                            {"compiler", "clang " __clang_version__},
                            {"tls", tls::library_version()}};
  return json.dump();
}

}  // namespace aquifer::ztunnel
