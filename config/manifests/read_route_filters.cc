// The filters of HTTPRoutes and GRPCRoutes.
#include "config/manifests/route_parts.h"
#include "config/manifests/route_values.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <utility>

namespace aquifer::manifests {
namespace {

// RFC 1035: names and with them hosts of redirects and rewrites.
constexpr std::size_t kHostBytesMax = 253;

std::string read_host(Fields& fields, std::string_view name) {
  std::string host = fields.text_or(name, "");
  const bool plain =
      host.size() <= kHostBytesMax && host.find_first_of("/?#@ \t\r\n:") == std::string::npos;
  if (plain) return lower_case(host);
  fields.error(name, fmt::format("{} is no host name", in_quotes(host)));
  return {};
}

l7::PathRewrite read_path_modifier(Fields& fields) {
  l7::PathRewrite rewrite;
  if (!fields.present()) return rewrite;
  const std::string type = fields.text_or("type", "");
  const std::string full = fields.text_or("replaceFullPath", "");
  std::string prefix = fields.text_or("replacePrefixMatch", "");
  if (type == "ReplaceFullPath") {
    rewrite.kind = l7::PathRewrite::Kind::full;
    rewrite.text = full.empty() ? "/" : full;
  } else if (type == "ReplacePrefixMatch") {
    rewrite.kind = l7::PathRewrite::Kind::prefix;
    // "/a" for "/b/c" of prefix "/b" is "/a/c": the slash belongs to what stays.
    while (prefix.ends_with('/')) prefix.pop_back();
    rewrite.text = std::move(prefix);
  } else {
    fields.error("type", fmt::format("{} is none: write ReplaceFullPath or ReplacePrefixMatch",
                                     in_quotes(type)));
  }
  if (!rewrite.text.empty() && !rewrite.text.starts_with('/')) {
    fields.error("", fmt::format("{} does not begin with /", in_quotes(rewrite.text)));
  }
  fields.finish();
  return rewrite;
}

bool is_prefix(const l7::PathMatch& path) {
  using Kind = l7::PathMatch::Kind;
  return path.kind == Kind::prefix || path.kind == Kind::segment_prefix;
}

l7::Redirect read_redirect(Fields& fields) {
  l7::Redirect redirect;
  redirect.scheme = fields.text_or("scheme", "");
  if (!redirect.scheme.empty() && redirect.scheme != "http" && redirect.scheme != "https") {
    fields.error("scheme",
                 fmt::format("{} is none: write http or https", in_quotes(redirect.scheme)));
  }
  redirect.authority = read_host(fields, "hostname");
  Fields path = fields.map("path");
  redirect.path = read_path_modifier(path);
  redirect.port = fields.port("port").value_or(0);
  const auto status = read_count(fields, "statusCode", 599);
  if (status) {
    const bool known =
        *status == 301 || *status == 302 || *status == 303 || *status == 307 || *status == 308;
    if (!known) {
      fields.error("statusCode",
                   fmt::format("{} is no redirect: write 301, 302, 303, 307 or 308", *status));
    }
    redirect.status = static_cast<int>(*status);
  }
  fields.finish();
  return redirect;
}

std::uint32_t read_mirror_share(Fields& fields) {
  Fields fraction = fields.map("fraction");
  const auto percent = read_count(fields, "percent", 100);
  if (!fraction.present()) return percent ? *percent * (l7::kWhole / 100) : l7::kWhole;
  constexpr std::uint32_t kMax = 1'000'000'000;
  const std::uint32_t numerator = read_count(fraction, "numerator", kMax).value_or(0);
  const std::uint32_t denominator = fraction.number("denominator", kMax).value_or(100);
  fraction.finish();
  if (percent) fields.error("percent", "stands beside fraction: write one of the two");
  if (numerator > denominator) {
    fraction.error("numerator", "is more than the denominator: write a share of at most 1");
    return l7::kWhole;
  }
  return static_cast<std::uint32_t>(std::uint64_t{numerator} * l7::kWhole / denominator);
}

MirrorObject read_mirror(Fields& fields, std::string_view ns) {
  MirrorObject mirror;
  Fields backend = fields.map("backendRef");
  if (!backend.present()) fields.error("backendRef", "missing: write whom requests are copied to");
  if (backend.present()) {
    mirror.backend = read_backend(backend, ns);
    backend.finish();
  }
  mirror.millionths = read_mirror_share(fields);
  fields.finish();
  return mirror;
}

// "https://*.example.com": the star stands for any text without a slash.
std::optional<l7::TextPattern> origin_pattern(const Fields& fields, const std::string& text) {
  if (text == "*") return l7::TextPattern();
  if (!text.contains('*')) return l7::TextPattern::exact(text);
  std::string expression;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '/' || c == ':' || c == '-';
    if (c == '*') {
      expression += "[^/]+";
    } else {
      if (!plain) expression += '\\';
      expression += c;
    }
  }
  l7::TextPattern pattern;
  pattern.kind = l7::TextPattern::Kind::regex;
  auto regex = read_regex(fields, "allowOrigins", expression);
  if (!regex) return std::nullopt;
  pattern.regex = std::move(*regex);
  return pattern;
}

std::vector<std::string> read_names(Fields& fields, std::string_view name) {
  std::vector<std::string> names;
  for (TextItem& item : fields.texts(name)) names.push_back(std::move(item.text));
  if (!within(fields, name, names.size(), kItemsMax)) names.clear();
  return names;
}

l7::Cors read_cors(Fields& fields) {
  l7::Cors cors;
  for (const std::string& text : read_names(fields, "allowOrigins")) {
    if (auto pattern = origin_pattern(fields, text)) cors.origins.push_back(std::move(*pattern));
  }
  cors.methods = read_names(fields, "allowMethods");
  cors.headers = read_names(fields, "allowHeaders");
  cors.exposed = read_names(fields, "exposeHeaders");
  // Gateway API's default is 5 seconds.
  constexpr std::uint32_t kDefaultAge = 5;
  constexpr std::uint32_t kAgeMax = 31'536'000;
  cors.max_age = std::chrono::seconds(read_count(fields, "maxAge", kAgeMax).value_or(kDefaultAge));
  cors.credentials = fields.boolean("allowCredentials").value_or(false);
  fields.finish();
  return cors;
}

/// One rule's filters, in their order.
class FilterReader {
 public:
  FilterReader(std::string_view ns, RouteRuleObject& rule) : ns_(ns), rule_(rule) {}

  void read(Fields& filter) {
    const std::string type = filter.text_or("type", "");
    if (type == "RequestHeaderModifier") {
      Fields fields = filter.map("requestHeaderModifier");
      append(rule_.route.request_headers, read_header_modifier(fields));
    } else if (type == "ResponseHeaderModifier") {
      Fields fields = filter.map("responseHeaderModifier");
      append(rule_.route.response_headers, read_header_modifier(fields));
    } else if (type == "RequestRedirect") {
      Fields fields = filter.map("requestRedirect");
      redirect_ = read_redirect(fields);
      check_prefix(filter, redirect_->path);
    } else if (type == "URLRewrite") {
      Fields fields = filter.map("urlRewrite");
      rewrite_ = l7::Forward();
      rewrite_->authority = read_host(fields, "hostname");
      Fields path = fields.map("path");
      rewrite_->path = read_path_modifier(path);
      fields.finish();
      check_prefix(filter, rewrite_->path);
    } else if (type == "RequestMirror") {
      Fields fields = filter.map("requestMirror");
      rule_.mirrors.push_back(read_mirror(fields, ns_));
    } else if (type == "CORS") {
      Fields fields = filter.map("cors");
      rule_.route.cors = read_cors(fields);
    } else {
      return refuse(filter, type);
    }
    filter.finish();
  }

  void settle(Fields& rule_fields) {
    if (redirect_ && rewrite_) {
      rule_fields.error("filters", "RequestRedirect and URLRewrite together: write one of them");
    }
    if (redirect_) {
      rule_.route.action = std::move(*redirect_);
    } else {
      rule_.route.action = rewrite_ ? std::move(*rewrite_) : l7::Forward();
    }
    if (unsupported_) answer_500(rule_);
  }

 private:
  static void append(l7::HeaderChanges& to, l7::HeaderChanges changes) {
    for (l7::HeaderChange& change : changes) to.push_back(std::move(change));
  }

  // HTTPRouteRule.filters: what cannot be done must not be skipped.
  void refuse(Fields& filter, const std::string& type) {
    unsupported_ = true;
    const bool known = type == "ExtensionRef" || type == "ExternalAuth";
    filter.warn("type",
                fmt::format("{} is {}: every request of this rule is answered 500, as the Gateway "
                            "API says; take the filter away",
                            in_quotes(type), known ? "not supported" : "no filter"));
  }

  void check_prefix(Fields& filter, const l7::PathRewrite& rewrite) {
    if (rewrite.kind != l7::PathRewrite::Kind::prefix) return;
    for (const MatchObject& match : rule_.matches) {
      if (is_prefix(match.match.path)) continue;
      return filter.error("",
                          "ReplacePrefixMatch, and a match of this rule has a path that is no "
                          "PathPrefix: write one, or ReplaceFullPath");
    }
  }

  std::string_view ns_;
  RouteRuleObject& rule_;
  std::optional<l7::Redirect> redirect_;
  std::optional<l7::Forward> rewrite_;
  bool unsupported_ = false;
};

}  // namespace

void read_filters(Fields& rule_fields, std::string_view ns, RouteRuleObject& rule) {
  FilterReader reader(ns, rule);
  std::size_t filters = 0;
  rule_fields.each("filters", [&](Fields& filter) {
    if (++filters <= kItemsMax) reader.read(filter);
  });
  (void)within(rule_fields, "filters", filters, kItemsMax);
  reader.settle(rule_fields);
}

}  // namespace aquifer::manifests
