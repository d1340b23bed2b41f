// Bytes as a request's path, its query and a few routes: paths are normalised to one spelling, and
// the table finds what a scan finds.
#include "common/base/assert.h"
#include "config/model/l7/path.h"
#include "config/model/l7/rewrite.h"
#include "config/model/l7/route_table.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace aquifer;
using namespace aquifer::l7;

namespace {

// Takes pieces from the front: a byte of length, then as much text.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::string_view text() {
    const std::size_t size = std::min<std::size_t>(byte() % 64, rest_.size());
    const std::string_view piece = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return piece;
  }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

void check_path(std::string_view target) {
  const auto once = normalise_path(target);
  if (!once) {
    AQUIFER_ASSERT(!is_normal_path(target));
    return;
  }
  const auto twice = normalise_path(*once);
  AQUIFER_ASSERT(twice.has_value() && *twice == *once);
  if (is_normal_path(target)) AQUIFER_ASSERT(*once == target);
  AQUIFER_ASSERT(*once == "*" || once->starts_with('/'));
  const std::string_view path = std::string_view(*once).substr(0, once->find('?'));
  for (const std::string_view evasion : {"/../", "/./", "\\"})
    AQUIFER_ASSERT(!path.contains(evasion));
  AQUIFER_ASSERT(!path.ends_with("/..") && !path.ends_with("/."));
  for (const char c : *once) AQUIFER_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

RoutePtr route_of(Input& input) {
  Route route;
  PathMatch& path = route.match.path;
  const std::uint8_t kind = input.byte();
  path.kind = static_cast<PathMatch::Kind>(kind % 5);
  path.ignore_case = (kind & 0x40) != 0;
  path.text = input.text();
  if (path.kind == PathMatch::Kind::regex) {
    auto regex = Regex::compile(path.text);
    if (regex) path.regex = std::move(*regex);
  }
  if ((kind & 0x80) != 0) {
    QueryMatch query;
    query.name = input.text();
    query.value = TextPattern::exact(std::string(input.text()));
    route.match.query.push_back(std::move(query));
  }
  return std::make_shared<const Route>(std::move(route));
}

void check_routes(std::string_view target, Input& input) {
  const auto path = normalise_path(target);
  if (!path) return;
  std::vector<RoutePtr> routes;
  while (!input.empty() && routes.size() < 16) routes.push_back(route_of(input));
  const RouteTable table(routes);
  const HeaderFields none;
  const RequestView request{.method = "GET",
                            .scheme = "http",
                            .authority = "web",
                            .path = *path,
                            .headers = none,
                            .source = {},
                            .destination = {},
                            .identity = nullptr};
  const Route* wanted = nullptr;
  for (const RoutePtr& route : routes) {
    const bool matched = matches(route->match, request);
    AQUIFER_ASSERT(matched == first_mismatch(route->match, request).empty());
    if (matched && wanted == nullptr) wanted = route.get();
  }
  AQUIFER_ASSERT(table.find(request).get() == wanted);
  if (wanted == nullptr) return;
  PathRewrite rewrite;
  rewrite.kind = PathRewrite::Kind::prefix;
  rewrite.text = "/new";
  AQUIFER_ASSERT(rewritten_path(rewrite, wanted->match.path, *path).starts_with('/'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_path(std::string_view(reinterpret_cast<const char*>(data), size));
  Input input(data, size);
  const std::string_view target = input.text();
  check_routes(target, input);
  return 0;
}
