// Reading one cookie of a request and writing one for an answer (RFC 6265). Pure.
#pragma once

#include "common/base/header_fields.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace aquifer::waypoint {

/// The first cookie of this name in all Cookie fields (HTTP/2 splits them), without quotes. A view
/// into `headers`.
[[nodiscard]] std::optional<std::string_view> find_cookie(const HeaderFields& headers,
                                                          std::string_view name) noexcept;

struct NewCookie {
  std::string_view name;
  std::string_view value;
  std::string_view path;
  /// None: for as long as the browser is open.
  std::optional<std::chrono::seconds> life;
};

/// A Set-Cookie field's value; scripts never see the cookie (HttpOnly). Empty when name or path
/// cannot be written without changing what the field means.
[[nodiscard]] std::string set_cookie_value(const NewCookie& cookie);

}  // namespace aquifer::waypoint
