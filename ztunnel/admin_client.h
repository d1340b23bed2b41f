// Asks the admin port of a running ztunnel: common/admin/client.h with its name.
#pragma once

#include "common/admin/client.h"

#include <expected>
#include <functional>
#include <string>
#include <string_view>

namespace aquifer::ztunnel {

inline constexpr std::string_view kDefaultAdminUrl = admin::kDefaultUrl;

[[nodiscard]] inline std::expected<admin::Reply, std::string> admin_get(
    std::string_view base_url, std::string_view path_and_query) {
  return admin::get({.program = "ztunnel", .base_url = base_url}, path_and_query);
}

[[nodiscard]] inline std::expected<void, std::string> admin_follow(
    std::string_view base_url, std::string_view path_and_query,
    const std::function<bool(std::string_view line)>& on_line) {
  return admin::follow({.program = "ztunnel", .base_url = base_url}, path_and_query, on_line);
}

}  // namespace aquifer::ztunnel
