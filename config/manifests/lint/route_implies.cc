#include "config/manifests/lint/route_implies.h"

#include <algorithm>
#include <limits>

namespace aquifer::manifests {
namespace {

using l7::PathMatch;
using Kind = l7::PathMatch::Kind;

// Routes with one path that a route is compared with: a table of thousands of routes on one path,
// which differ in headers, would else cost their square.
constexpr std::size_t kComparedMax = 200;

bool is_everything(const PathMatch& path) {
  switch (path.kind) {
    case Kind::any: return true;
    case Kind::prefix: return path.text.empty() || path.text == "/";
    case Kind::segment_prefix: return path.text.empty();
    case Kind::regex: return path.regex.text() == ".*" || path.regex.text() == "/.*";
    case Kind::exact: return false;
  }
  return false;
}

// Whether case counts is left out of it where the wide one does not care and they differ.
bool covers(const PathMatch& wide, const PathMatch& narrow) {
  if (is_everything(wide) || wide == narrow) return true;
  if (wide.ignore_case || narrow.ignore_case) return false;
  const bool same = narrow.text == wide.text;
  const bool below = narrow.text.starts_with(wide.text + "/");
  switch (wide.kind) {
    case Kind::prefix:
      return narrow.kind != Kind::regex && narrow.kind != Kind::any &&
             narrow.text.starts_with(wide.text);
    case Kind::segment_prefix:
      if (narrow.kind == Kind::exact || narrow.kind == Kind::segment_prefix) return same || below;
      return narrow.kind == Kind::prefix && below;
    default: return false;
  }
}

template <typename Part>
bool contains_all(const std::vector<Part>& parts, const std::vector<Part>& wanted) {
  return std::ranges::all_of(
      wanted, [&](const Part& part) { return std::ranges::find(parts, part) != parts.end(); });
}

}  // namespace

bool implies(const l7::RouteMatch& narrow, const l7::RouteMatch& wide) {
  return covers(wide.path, narrow.path) && (wide.method.empty() || wide.method == narrow.method) &&
         (wide.source_namespace.empty() || wide.source_namespace == narrow.source_namespace) &&
         contains_all(narrow.headers, wide.headers) && contains_all(narrow.query, wide.query);
}

Shadows::Shadows(std::span<const l7::RoutePtr> routes) : routes_(routes) {
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const PathMatch& path = routes[i]->match.path;
    const bool text =
        path.kind == Kind::exact || path.kind == Kind::prefix || path.kind == Kind::segment_prefix;
    (text ? by_text_[path.text] : others_).push_back(i);
  }
}

const l7::Route* Shadows::before(std::size_t index) const {
  constexpr std::size_t kNobody = std::numeric_limits<std::size_t>::max();
  std::size_t best = kNobody;
  const l7::RouteMatch& match = routes_[index]->match;
  const auto look = [&](const Numbers& numbers) {
    std::size_t compared = 0;
    for (const std::size_t number : numbers) {
      if (number >= index || number >= best || ++compared > kComparedMax) return;
      if (implies(match, routes_[number]->match)) best = number;
    }
  };
  // Whatever covers a path is one of its beginnings.
  const std::string_view text = match.path.text;
  for (std::size_t length = 0; length <= text.size(); ++length) {
    if (const auto at = by_text_.find(text.substr(0, length)); at != by_text_.end())
      look(at->second);
  }
  // "/" is everything, too, of expressions as well.
  if (text.empty()) {
    if (const auto at = by_text_.find("/"); at != by_text_.end()) look(at->second);
  }
  look(others_);
  return best == kNobody ? nullptr : routes_[best].get();
}

}  // namespace aquifer::manifests
