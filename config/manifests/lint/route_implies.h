// Does one match of a route match whatever another does? Says yes only when it is sure. Pure.
#pragma once

#include "config/model/l7/route.h"

#include <cstddef>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

/// True: every request that `narrow` matches is matched by `wide`.
[[nodiscard]] bool implies(const l7::RouteMatch& narrow, const l7::RouteMatch& wide);

/// Finds what stands before a route and takes all its requests, in a table of any length.
class Shadows {
 public:
  /// In their order of precedence; they must outlive it.
  explicit Shadows(std::span<const l7::RoutePtr> routes);
  /// The first route before this one that matches whatever it matches; null when there is none, or
  /// none of those that are looked at.
  [[nodiscard]] const l7::Route* before(std::size_t index) const;

 private:
  using Numbers = std::vector<std::size_t>;
  std::span<const l7::RoutePtr> routes_;
  // By the text of exact and prefix paths; others apart.
  std::unordered_map<std::string_view, Numbers> by_text_;
  Numbers others_;
};

}  // namespace aquifer::manifests
