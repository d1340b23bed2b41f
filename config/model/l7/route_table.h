// Ordered routes, prepared so that a request looks only at those whose path may match: a thousand
// routes cost little more than ten. Immutable; any thread.
#pragma once

#include "config/model/l7/request_view.h"
#include "config/model/l7/route.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::l7 {

[[nodiscard]] bool matches(const PathMatch& match, std::string_view path_without_query);
[[nodiscard]] bool matches(const RouteMatch& match, const RequestView& request);
/// The first part of a match that is not true, for people: `header x-user: exact "bob"`; empty when
/// all is.
[[nodiscard]] std::string first_mismatch(const RouteMatch& match, const RequestView& request);

class RouteTable {
 public:
  RouteTable() = default;
  /// In their order of precedence.
  explicit RouteTable(std::vector<RoutePtr> routes);

  /// The first that matches; null when none does. Valid as long as the table.
  [[nodiscard]] const RoutePtr& find(const RequestView& request) const;
  [[nodiscard]] std::span<const RoutePtr> routes() const noexcept { return routes_; }
  [[nodiscard]] bool empty() const noexcept { return routes_.empty(); }

  friend bool operator==(const RouteTable& a, const RouteTable& b);

 private:
  using Numbers = std::vector<std::uint32_t>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  using ByText = std::unordered_map<std::string, Numbers, Hash, std::equal_to<>>;

  std::vector<RoutePtr> routes_;
  ByText exact_;
  ByText prefixes_;
  std::vector<std::uint32_t> prefix_lengths_;  // those that occur, rising
  Numbers others_;                             // every request looks at these
};

}  // namespace aquifer::l7
