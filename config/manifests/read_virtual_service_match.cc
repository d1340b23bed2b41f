// HTTPMatchRequest of a VirtualService.
#include "config/manifests/read_virtual_service.h"
#include "config/manifests/route_values.h"

#include <fmt/format.h>

#include <utility>

namespace aquifer::manifests {
namespace {

// Exactly one of the three.
std::optional<l7::TextPattern> read_pattern(Fields& fields) {
  using Kind = l7::TextPattern::Kind;
  l7::TextPattern pattern;
  int given = 0;
  if (const auto text = fields.text("exact")) {
    ++given;
    pattern.kind = Kind::exact;
    pattern.text = *text;
  }
  if (const auto text = fields.text("prefix")) {
    ++given;
    pattern.kind = Kind::prefix;
    pattern.text = *text;
  }
  bool good = true;
  if (const auto text = fields.text("regex")) {
    ++given;
    // Istio's word for "is there".
    if (*text != "*") {
      auto regex = read_regex(fields, "regex", *text);
      good = regex.has_value();
      pattern.kind = Kind::regex;
      if (good) pattern.regex = std::move(*regex);
    }
  }
  if (given > 1) {
    fields.error("", "must be one of exact, prefix and regex");
    good = false;
  }
  fields.finish();
  if (!good) return std::nullopt;
  return pattern;
}

// Calls `use(name, pattern)` for every entry of a map of StringMatches.
template <typename Use>
void each_pattern(Fields& match, std::string_view name, Use&& use) {
  Fields map = match.map(name);
  const YamlNode* raw = match.raw(name);
  if (!map.present()) return;
  const std::size_t entries = raw->children.size() / 2;
  if (!within(match, name, entries, kItemsMax)) return;
  for (std::size_t i = 0; i < 2 * entries; i += 2) {
    const std::string& key = raw->children[i]->text;
    if (auto pattern = read_string_match(map, key)) use(map, key, std::move(*pattern));
  }
}

void read_path(Fields& fields, l7::PathMatch& path) {
  using Kind = l7::TextPattern::Kind;
  // Without one a rewrite replaces the slash that all paths begin with.
  path.kind = l7::PathMatch::Kind::prefix;
  path.text = "/";
  path.ignore_case = fields.boolean("ignoreUriCase").value_or(false);
  const auto pattern = read_string_match(fields, "uri");
  if (!pattern || pattern->kind == Kind::any) return;
  if (pattern->kind == Kind::regex) {
    path.kind = l7::PathMatch::Kind::regex;
    path.text.clear();
    path.regex = pattern->regex;
    if (!path.ignore_case) return;
    auto without_case = l7::Regex::compile("(?i)" + pattern->regex.text());
    if (without_case) path.regex = std::move(*without_case);
    return;
  }
  path.kind =
      pattern->kind == Kind::exact ? l7::PathMatch::Kind::exact : l7::PathMatch::Kind::prefix;
  if (auto text = match_path(fields, "uri", pattern->text)) path.text = std::move(*text);
}

void add_header(l7::RouteMatch& match, std::string_view name, l7::TextPattern value, bool invert) {
  l7::HeaderMatch header;
  header.name = name;
  header.value = std::move(value);
  header.invert = invert;
  match.headers.push_back(std::move(header));
}

void read_headers(Fields& fields, std::string_view field, bool invert, l7::RouteMatch& match) {
  each_pattern(fields, field, [&](Fields& map, const std::string& key, l7::TextPattern pattern) {
    const auto name = header_name(map, key, key, PseudoHeaders::allowed);
    if (!name) return;
    if (*name == "uri" || *name == "scheme" || *name == "method" || *name == "authority") {
      return map.warn(key, "is not a header field here and is ignored: write it beside `headers`");
    }
    add_header(match, *name, std::move(pattern), invert);
  });
}

}  // namespace

std::optional<l7::TextPattern> read_string_match(Fields& parent, std::string_view name) {
  Fields fields = parent.map(name);
  if (!fields.present()) return l7::TextPattern();
  return read_pattern(fields);
}

std::optional<MatchObject> read_request_match(Fields& fields) {
  MatchObject object;
  l7::RouteMatch& match = object.match;
  object.name = fields.text_or("name", "");
  object.port = fields.port("port").value_or(0);
  read_path(fields, match.path);
  match.source_namespace = fields.text_or("sourceNamespace", "");
  for (const std::string_view name : {"scheme", "method", "authority"}) {
    auto pattern = read_string_match(fields, name);
    if (!pattern || pattern->kind == l7::TextPattern::Kind::any) continue;
    if (name == "method" && pattern->kind == l7::TextPattern::Kind::exact) {
      match.method = pattern->text;
    } else {
      // Host names have no case.
      pattern->ignore_case = name == "authority";
      if (pattern->ignore_case) pattern->text = lower_case(pattern->text);
      add_header(match, ":" + std::string(name), std::move(*pattern), false);
    }
  }
  read_headers(fields, "headers", false, match);
  read_headers(fields, "withoutHeaders", true, match);
  each_pattern(fields, "queryParams", [&](Fields&, const std::string& key, l7::TextPattern value) {
    match.query.push_back({key, std::move(value)});
  });
  bool possible = is_for_mesh(fields);
  if (fields.has("sourceLabels")) {
    possible = false;
    fields.warn("sourceLabels",
                "a waypoint does not know its clients' labels: this match is never true; write "
                "sourceNamespace");
  }
  fields.ignore({"sourceLabels", "statPrefix"});
  fields.finish();
  if (!possible) return std::nullopt;
  return object;
}

}  // namespace aquifer::manifests
