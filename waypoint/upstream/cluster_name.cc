#include "waypoint/upstream/cluster_name.h"

#include <charconv>
#include <cstddef>
#include <system_error>

namespace aquifer::waypoint {

std::optional<ClusterName> parse_cluster_key(std::string_view key) noexcept {
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  ClusterName name;
  name.service_ns = key.substr(0, slash);
  std::string_view rest = key.substr(slash + 1);
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  name.hostname = rest.substr(0, colon);
  rest.remove_prefix(colon + 1);
  const char* end = rest.data() + rest.size();
  const auto [stop, error] = std::from_chars(rest.data(), end, name.port);
  if (error != std::errc() || name.port == 0) return std::nullopt;
  if (stop == end) return name;
  if (*stop != '/' || stop + 1 == end) return std::nullopt;
  name.subset = std::string_view(stop + 1, static_cast<std::size_t>(end - stop - 1));
  return name;
}

}  // namespace aquifer::waypoint
