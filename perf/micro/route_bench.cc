// What finding a request's route costs, among 10, 1,000 and 10,000 routes of one port. Prints
// figures; judges nothing.
#include "config/model/l7/path.h"
#include "config/model/l7/route_table.h"

#include <fmt/format.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace aquifer;
using namespace aquifer::l7;

constexpr int kLookups = 300'000;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

RoutePtr route_of(PathMatch::Kind kind, std::string path, int number) {
  Route route;
  route.name = fmt::format("route-{}", number);
  route.match.path.kind = kind;
  route.match.path.text = std::move(path);
  return std::make_shared<const Route>(std::move(route));
}

// As a large mesh has them: most by a prefix of their own, some exact, some by a header as well.
RouteTable table_of(int count) {
  std::vector<RoutePtr> routes;
  for (int i = 0; i < count; i += 4) {
    routes.push_back(
        route_of(PathMatch::Kind::exact, fmt::format("/api/v1/service-{}/health", i), i));
  }
  for (int i = 1; i < count; i += 4) {
    auto route = std::make_shared<Route>(
        *route_of(PathMatch::Kind::segment_prefix, fmt::format("/api/v1/service-{}", i), i));
    HeaderMatch header;
    header.name = "x-canary";
    header.value = TextPattern::exact("true");
    route->match.headers.push_back(std::move(header));
    routes.push_back(std::move(route));
  }
  for (int i = 0; i < count; ++i) {
    if (i % 4 < 2) continue;
    routes.push_back(
        route_of(PathMatch::Kind::segment_prefix, fmt::format("/api/v1/service-{}", i), i));
  }
  routes.push_back(route_of(PathMatch::Kind::segment_prefix, "", count));
  return RouteTable(std::move(routes));
}

void measure(int count) {
  const RouteTable table = table_of(count);
  std::vector<std::string> paths;
  for (int i = 0; i < 997; ++i)
    paths.push_back(fmt::format("/api/v1/service-{}/items/42?page=7", (i * 7919) % count));
  const HeaderFields headers{{"accept", "*/*"}, {"user-agent", "curl"}, {"x-request-id", "1"}};
  std::uint64_t found = 0;
  const double start = cpu_seconds();
  for (int i = 0; i < kLookups; ++i) {
    const RequestView request{.method = "GET",
                              .scheme = "http",
                              .authority = "web",
                              .path = paths[static_cast<std::size_t>(i) % paths.size()],
                              .headers = headers,
                              .source = {},
                              .destination = {},
                              .identity = nullptr};
    found += table.find(request) != nullptr ? 1 : 0;
  }
  const double taken = cpu_seconds() - start;
  fmt::print("{:>6} routes: {:.0f} ns a look-up, {} of {} found\n", count, taken / kLookups * 1e9,
             found, kLookups);
}

void measure_paths(std::string_view what, std::string_view path) {
  std::size_t bytes = 0;
  const double start = cpu_seconds();
  for (int i = 0; i < kLookups; ++i) {
    if (is_normal_path(path)) {
      bytes += path.size();
    } else if (const auto normal = normalise_path(path)) {
      bytes += normal->size();
    }
  }
  fmt::print("{}: {:.0f} ns ({} bytes)\n", what, (cpu_seconds() - start) / kLookups * 1e9, bytes);
}

}  // namespace

int main() {
  for (const int count : {10, 1'000, 10'000}) measure(count);
  measure_paths("a normal path", "/api/v1/service-17/items/42?page=7");
  measure_paths("a path with escapes and dots", "/api/v1/%7eservice/../items/%e2%98%83?page=7");
  return 0;
}
