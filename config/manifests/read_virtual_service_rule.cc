// HTTPRoute of a VirtualService: what becomes of the requests that a rule matches.
#include "common/base/header_fields.h"
#include "config/manifests/read_virtual_service.h"
#include "config/manifests/route_parts.h"
#include "config/manifests/route_values.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace aquifer::manifests {
namespace {

using How = l7::HeaderChange::How;

void read_changes(Fields& fields, std::string_view name, How how, l7::HeaderChanges& changes,
                  std::string* authority) {
  std::size_t count = 0;
  for (const auto& [key, value] : fields.text_map(name)) {
    if (++count > kItemsMax) break;
    const auto header = header_name(fields, name, key, PseudoHeaders::allowed);
    if (!is_field_value(value)) fields.error(name, in_quotes(key) + " has a control character");
    if (!header) continue;
    if (value.contains('%')) {
      fields.warn(name, fmt::format("{}: %...% is not evaluated but sent as it is written",
                                    in_quotes(key)));
    }
    if ((*header == "host" || *header == ":authority") && authority != nullptr && how == How::set) {
      *authority = value;
    } else if (header->starts_with(':')) {
      fields.error(name, fmt::format("{} cannot be changed here: write rewrite", in_quotes(key)));
    } else {
      changes.push_back({how, *header, value});
    }
  }
  (void)within(fields, name, count, kItemsMax);
}

void read_operations(Fields& fields, l7::HeaderChanges& changes, std::string* authority) {
  if (!fields.present()) return;
  for (const TextItem& item : fields.texts("remove")) {
    if (const auto name = header_name(fields, "remove", item.text, PseudoHeaders::refused))
      changes.push_back({How::remove, *name, ""});
  }
  read_changes(fields, "set", How::set, changes, authority);
  read_changes(fields, "add", How::add, changes, nullptr);
  fields.finish();
}

void read_headers(Fields& owner, l7::HeaderChanges& request, l7::HeaderChanges& response,
                  std::string* authority) {
  Fields headers = owner.map("headers");
  Fields of_request = headers.map("request");
  read_operations(of_request, request, authority);
  Fields of_response = headers.map("response");
  read_operations(of_response, response, nullptr);
  headers.finish();
}

l7::Redirect read_redirect(Fields& fields) {
  l7::Redirect redirect;
  redirect.status = 301;
  redirect.scheme = lower_case(fields.text_or("scheme", ""));
  redirect.authority = lower_case(fields.text_or("authority", ""));
  redirect.port = fields.port("port").value_or(0);
  if (const std::size_t colon = redirect.authority.rfind(':');
      colon != std::string::npos && !redirect.authority.ends_with(']')) {
    const std::string_view digits = std::string_view(redirect.authority).substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      fields.error("authority", fmt::format("{} is no host name", in_quotes(redirect.authority)));
    }
    redirect.port = port;
    redirect.authority.resize(colon);
  }
  const std::string derive = fields.text_or("derivePort", "FROM_PROTOCOL_DEFAULT");
  if (derive == "FROM_PROTOCOL_DEFAULT") {
    if (fields.has("derivePort") && redirect.port == 0)
      redirect.port = redirect.scheme == "https" ? 443 : 80;
  } else if (derive != "FROM_REQUEST_PORT") {
    fields.error("derivePort",
                 fmt::format("{} is none: write FROM_PROTOCOL_DEFAULT or FROM_REQUEST_PORT",
                             in_quotes(derive)));
  }
  std::string uri = fields.text_or("uri", "");
  constexpr std::string_view kPrefix = "%PREFIX()%";
  if (uri.starts_with(kPrefix)) {
    redirect.path.kind = l7::PathRewrite::Kind::prefix;
    redirect.path.text = uri.substr(kPrefix.size());
  } else if (!uri.empty()) {
    redirect.path.kind = l7::PathRewrite::Kind::full;
    redirect.path.text = std::move(uri);
  }
  if (!is_field_value(redirect.path.text)) fields.error("uri", "holds a control character");
  if (const auto status = read_count(fields, "redirectCode", 599)) {
    redirect.status = static_cast<int>(*status);
    if (*status < 300 || *status > 399)
      fields.error("redirectCode", fmt::format("{} is no redirect: write 301 or another", *status));
  }
  fields.finish();
  return redirect;
}

l7::DirectResponse read_direct_response(Fields& fields) {
  l7::DirectResponse response;
  const auto status = read_count(fields, "status", 599);
  if (!status || *status < 200)
    fields.error("status", "missing or no final status: write one from 200 to 599");
  response.status = static_cast<int>(status.value_or(500));
  Fields body = fields.map("body");
  response.body = body.text_or("string", "");
  if (response.body.size() > kBodyBytesMax) {
    body.error("string", fmt::format("longer than {} bytes", kBodyBytesMax));
    response.body.clear();
  }
  if (body.has("bytes")) body.error("bytes", "is not read: write the text as string");
  body.ignore({"bytes"});
  body.finish();
  fields.finish();
  return response;
}

void read_rewrite(Fields& fields, RouteRuleObject& rule, l7::Forward& forward) {
  if (!fields.present()) return;
  if (const auto authority = fields.text("authority")) forward.authority = *authority;
  rule.rewrite_uri = fields.text("uri");
  Fields regex = fields.map("uriRegexRewrite");
  if (regex.present()) {
    forward.path.kind = l7::PathRewrite::Kind::regex;
    if (auto match = read_regex(regex, "match", regex.text_or("match", "")))
      forward.path.regex = std::move(*match);
    forward.path.text = regex.text_or("rewrite", "");
    if (rule.rewrite_uri) fields.error("uri", "stands beside uriRegexRewrite: write one of them");
  }
  regex.finish();
  if (!is_field_value(forward.authority)) fields.error("authority", "holds a control character");
  fields.finish();
}

std::uint32_t read_mirror_share(Fields& fields, std::string_view map, std::string_view old) {
  if (const auto share = read_percent_map(fields, map)) return *share;
  if (old.empty()) return l7::kWhole;
  const auto percent = read_count(fields, old, 100);
  return percent ? *percent * (l7::kWhole / 100) : l7::kWhole;
}

void read_mirrors(Fields& fields, RouteRuleObject& rule) {
  Fields one = fields.map("mirror");
  const std::uint32_t share = read_mirror_share(fields, "mirrorPercentage", "mirrorPercent");
  if (one.present()) rule.mirrors.push_back({read_destination(one), share});
  fields.each("mirrors", [&](Fields& item) {
    Fields destination = item.map("destination");
    const std::uint32_t of_item = read_mirror_share(item, "percentage", "");
    if (!destination.present()) {
      item.error("destination", "missing: write {host: ...}");
    } else if (rule.mirrors.size() < kItemsMax) {
      rule.mirrors.push_back({read_destination(destination), of_item});
    }
    item.finish();
  });
}

void read_destinations(Fields& fields, RouteRuleObject& rule) {
  bool all_weighted = true;
  fields.each("route", [&](Fields& item) {
    if (rule.backends.size() > kItemsMax) return;
    Fields destination = item.map("destination");
    if (!destination.present()) item.error("destination", "missing: write {host: ...}");
    BackendObject backend;
    if (destination.present()) backend = read_destination(destination);
    const auto weight = read_count(item, "weight", 1'000'000);
    all_weighted = all_weighted && weight.has_value();
    backend.weight = weight.value_or(0);
    read_headers(item, backend.request_headers, backend.response_headers, nullptr);
    item.finish();
    rule.backends.push_back(std::move(backend));
  });
  (void)within(fields, "route", rule.backends.size(), kItemsMax);
  // Alone, it needs no weight to get everything.
  if (rule.backends.size() == 1 && !all_weighted) rule.backends.front().weight = 1;
}

void read_matches(Fields& fields, RouteRuleObject& rule) {
  std::size_t written = 0;
  fields.each("match", [&](Fields& item) {
    if (++written > kMatchesMax) return;
    if (auto match = read_request_match(item)) rule.matches.push_back(std::move(*match));
  });
  (void)within(fields, "match", written, kMatchesMax);
  if (written > 0) return;
  rule.matches.emplace_back();
  rule.matches.back().match.path.kind = l7::PathMatch::Kind::prefix;
  rule.matches.back().match.path.text = "/";
}

}  // namespace

RouteRuleObject read_request_rule(Fields& fields) {
  RouteRuleObject rule;
  rule.route.name = fields.text_or("name", "");
  read_matches(fields, rule);
  l7::Forward forward;
  read_headers(fields, rule.route.request_headers, rule.route.response_headers, &forward.authority);
  Fields rewrite = fields.map("rewrite");
  read_rewrite(rewrite, rule, forward);
  read_destinations(fields, rule);
  read_mirrors(fields, rule);
  rule.route.timeouts.request = read_duration(fields, "timeout").value_or(Duration::zero());
  read_request_policies(fields, rule.route);
  rule.route.action = std::move(forward);
  Fields redirect = fields.map("redirect");
  Fields direct = fields.map("directResponse");
  if (redirect.present() && direct.present())
    fields.error("redirect", "stands beside directResponse: write one of them");
  if (redirect.present()) rule.route.action = read_redirect(redirect);
  if (direct.present()) rule.route.action = read_direct_response(direct);
  if ((redirect.present() || direct.present()) && !rule.backends.empty())
    fields.error("route", "stands beside redirect or directResponse: write one of them");
  if (fields.has("delegate")) {
    fields.warn("delegate",
                "is not supported: every request of this rule is answered 500; write "
                "the delegate's rules here");
    answer_500(rule);
  }
  fields.ignore({"delegate"});
  fields.finish();
  return rule;
}

}  // namespace aquifer::manifests
