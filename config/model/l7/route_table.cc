#include "config/model/l7/route_table.h"

#include <algorithm>
#include <array>
#include <limits>

namespace aquifer::l7 {
namespace {

bool is_segment_prefix(std::string_view path, std::string_view prefix) noexcept {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

bool matches_without_case(const PathMatch& match, std::string_view path) noexcept {
  if (match.kind == PathMatch::Kind::exact) return equal_without_case(path, match.text);
  if (path.size() < match.text.size()) return false;
  if (!equal_without_case(path.substr(0, match.text.size()), match.text)) return false;
  return match.kind == PathMatch::Kind::prefix || path.size() == match.text.size() ||
         path[match.text.size()] == '/';
}

bool matches(const HeaderMatch& match, const RequestView& request) {
  std::string scratch;
  const auto value = request.header(match.name, scratch);
  const bool found = value.has_value() && match.value.matches(*value);
  return found != match.invert;
}

bool matches(const QueryMatch& match, const RequestView& request) {
  std::string scratch;
  const auto value = request.query(match.name, scratch);
  return value.has_value() && match.value.matches(*value);
}

bool matches_besides_path(const RouteMatch& match, const RequestView& request) {
  if (!match.method.empty() && match.method != request.method) return false;
  if (!match.source_namespace.empty() &&
      (request.identity == nullptr || request.identity->ns() != match.source_namespace)) {
    return false;
  }
  return std::ranges::all_of(match.headers,
                             [&](const HeaderMatch& header) { return matches(header, request); }) &&
         std::ranges::all_of(match.query,
                             [&](const QueryMatch& query) { return matches(query, request); });
}

std::string path_words(const PathMatch& match) {
  switch (match.kind) {
    case PathMatch::Kind::any: return "any path";
    case PathMatch::Kind::exact: return "path \"" + match.text + "\"";
    case PathMatch::Kind::prefix:
    case PathMatch::Kind::segment_prefix: return "path prefix \"" + match.text + "\"";
    case PathMatch::Kind::regex: return "path matching \"" + match.regex.text() + "\"";
  }
  return {};
}

}  // namespace

bool matches(const PathMatch& match, std::string_view path) {
  if (match.ignore_case && match.kind != PathMatch::Kind::any &&
      match.kind != PathMatch::Kind::regex) {
    return matches_without_case(match, path);
  }
  switch (match.kind) {
    case PathMatch::Kind::any: return true;
    case PathMatch::Kind::exact: return path == match.text;
    case PathMatch::Kind::prefix: return path.starts_with(match.text);
    case PathMatch::Kind::segment_prefix: return is_segment_prefix(path, match.text);
    case PathMatch::Kind::regex: return match.regex.matches(path);
  }
  return false;
}

bool matches(const RouteMatch& match, const RequestView& request) {
  return matches(match.path, request.path_only()) && matches_besides_path(match, request);
}

std::string first_mismatch(const RouteMatch& match, const RequestView& request) {
  if (!matches(match.path, request.path_only())) return path_words(match.path);
  if (!match.method.empty() && match.method != request.method) return "method " + match.method;
  if (!match.source_namespace.empty() &&
      (request.identity == nullptr || request.identity->ns() != match.source_namespace)) {
    return "a client of namespace " + match.source_namespace;
  }
  for (const HeaderMatch& header : match.headers) {
    if (matches(header, request)) continue;
    return (header.invert ? "no header " : "header ") + header.name + ": " +
           header.value.to_string();
  }
  for (const QueryMatch& query : match.query) {
    if (!matches(query, request)) return "query " + query.name + ": " + query.value.to_string();
  }
  return {};
}

RouteTable::RouteTable(std::vector<RoutePtr> routes) : routes_(std::move(routes)) {
  for (std::uint32_t i = 0; i < routes_.size(); ++i) {
    const PathMatch& path = routes_[i]->match.path;
    const bool prefix =
        path.kind == PathMatch::Kind::prefix || path.kind == PathMatch::Kind::segment_prefix;
    if (!path.ignore_case && path.kind == PathMatch::Kind::exact) {
      exact_[path.text].push_back(i);
    } else if (!path.ignore_case && prefix) {
      prefixes_[path.text].push_back(i);
      prefix_lengths_.push_back(static_cast<std::uint32_t>(path.text.size()));
    } else {
      others_.push_back(i);
    }
  }
  std::ranges::sort(prefix_lengths_);
  prefix_lengths_.erase(std::ranges::unique(prefix_lengths_).begin(), prefix_lengths_.end());
}

const RoutePtr& RouteTable::find(const RequestView& request) const {
  static const RoutePtr kNone;
  const std::string_view path = request.path_only();
  constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t best = kNobody;
  // Each list rises, so the first that matches is its best, and looking may end at the best so far.
  const auto look = [&](const Numbers& numbers) {
    for (const std::uint32_t number : numbers) {
      if (number >= best) return;
      if (matches(routes_[number]->match, request)) {
        best = number;
        return;
      }
    }
  };
  if (const auto found = exact_.find(path); found != exact_.end()) look(found->second);
  for (const std::uint32_t length : prefix_lengths_) {
    if (length > path.size()) break;
    if (const auto found = prefixes_.find(path.substr(0, length)); found != prefixes_.end()) {
      look(found->second);
    }
  }
  look(others_);
  return best == kNobody ? kNone : routes_[best];
}

bool operator==(const RouteTable& a, const RouteTable& b) {
  return std::ranges::equal(a.routes_, b.routes_, [](const RoutePtr& one, const RoutePtr& other) {
    return one == other || *one == *other;
  });
}

}  // namespace aquifer::l7
