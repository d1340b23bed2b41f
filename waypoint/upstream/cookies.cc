#include "waypoint/upstream/cookies.h"

#include <algorithm>
#include <cstddef>

namespace aquifer::waypoint {
namespace {

std::string_view without_quotes(std::string_view value) noexcept {
  const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

std::optional<std::string_view> find_in(std::string_view field, std::string_view name) noexcept {
  while (!field.empty()) {
    const std::size_t end = std::min(field.find(';'), field.size());
    const std::string_view pair = trim_blanks(field.substr(0, end));
    field.remove_prefix(std::min(end + 1, field.size()));
    // Names of cookies differ by case.
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || trim_blanks(pair.substr(0, equals)) != name) continue;
    return without_quotes(trim_blanks(pair.substr(equals + 1)));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> find_cookie(const HeaderFields& headers,
                                            std::string_view name) noexcept {
  for (const HeaderField field : headers) {
    if (!equal_without_case(field.name, "cookie")) continue;
    if (const auto found = find_in(field.value, name)) return found;
  }
  return std::nullopt;
}

std::string set_cookie_value(const NewCookie& cookie) {
  const bool path_ok =
      is_field_value(cookie.path) && cookie.path.find(';') == std::string_view::npos;
  if (!is_token(cookie.name) || !path_ok) return {};
  std::string text(cookie.name);
  text.append("=").append(cookie.value);
  if (!cookie.path.empty()) text.append("; Path=").append(cookie.path);
  if (cookie.life && cookie.life->count() > 0)
    text.append("; Max-Age=").append(std::to_string(cookie.life->count()));
  return text.append("; HttpOnly");
}

}  // namespace aquifer::waypoint
