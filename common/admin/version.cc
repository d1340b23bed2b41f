#include "common/admin/version.h"

#include "common/tls/handles.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace aquifer::admin {
namespace {

constexpr const char* kVersion = AQUIFER_VERSION;

}  // namespace

std::string version_line(std::string_view program) {
  return fmt::format("aquifer {} {} (clang {}, {})", program, kVersion, __clang_version__,
                     tls::library_version());
}

std::string version_json(std::string_view program) {
  const nlohmann::json json{{"name", fmt::format("aquifer {}", program)},
                            {"version", kVersion},
                            {"compiler", "clang " __clang_version__},
                            {"tls", tls::library_version()}};
  return json.dump();
}

}  // namespace aquifer::admin
