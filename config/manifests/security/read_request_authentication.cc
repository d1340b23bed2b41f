// RequestAuthentication -> RequestAuthenticationObject. A field that is not known is an error: left
// out, it would make more tokens believed, or fewer, than the object says.
#include "common/base/header_fields.h"
#include "common/jwt/key_set.h"
#include "config/manifests/authorization_values.h"
#include "config/manifests/read_objects.h"
#include "config/manifests/security/target_refs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace aquifer::manifests {
namespace {

constexpr std::chrono::milliseconds kTimeoutMax{60'000};

// "5s", "500ms", "1.5s": what of protobuf's durations is meant by a timeout.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  double scale = 1000;
  if (text.ends_with("ms")) {
    scale = 1;
    text.remove_suffix(1);
  } else if (text.ends_with("m")) {
    scale = 60'000;
  } else if (!text.ends_with("s")) {
    return std::nullopt;
  }
  text.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0)) {
    return std::nullopt;
  }
  const double milliseconds = value * scale;
  if (!(milliseconds >= 1 && milliseconds <= static_cast<double>(kTimeoutMax.count()))) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds));
}

std::vector<std::string> read_list(Fields& fields, std::string_view name) {
  std::vector<std::string> texts;
  for (TextItem& item : fields.texts(name)) {
    if (item.text.empty()) {
      fields.error_at(item.line, name, "an empty text: take it out");
    } else {
      texts.push_back(std::move(item.text));
    }
  }
  return texts;
}

// The name of a header field, or nothing and an error.
std::string header_name(Fields& fields, std::string_view field) {
  std::string name = fields.text_or(field, "");
  if (!is_token(name)) {
    fields.error(field, "must be the name of a header field, such as x-user");
    return {};
  }
  return name;
}

void read_keys(Fields& fields, l7::TokenRule& rule) {
  rule.jwks = fields.text_or("jwks", "");
  rule.jwks_uri = fields.text_or("jwksUri", "");
  // The spelling of Istio's oldest API, which it still takes.
  if (rule.jwks_uri.empty()) rule.jwks_uri = fields.text_or("jwks_uri", "");
  if (!rule.jwks.empty() && !rule.jwks_uri.empty()) {
    return fields.error("jwks", "stands beside jwksUri: keep one of them");
  }
  if (rule.jwks.empty() && rule.jwks_uri.empty()) {
    return fields.warn("",
                       "has neither jwks nor jwksUri, and keys are not looked for at the "
                       "issuer by this version: every token of it is REFUSED");
  }
  if (rule.jwks.empty()) {
    const std::string_view uri = rule.jwks_uri;
    if (uri.starts_with("http://") || uri.starts_with("https://")) return;
    return fields.error("jwksUri", "must begin with http:// or https://");
  }
  const auto keys = jwt::KeySet::parse(rule.jwks);
  if (!keys) return fields.error("jwks", fmt::format("is no key set: {}", keys.error()));
  for (const std::string& reason : keys->left_out()) {
    fields.warn("jwks", fmt::format("one key is of no use: {}", reason));
  }
  if (keys->size() == 0) {
    fields.warn("jwks", "holds no key: every token of this issuer is REFUSED");
  }
}

void read_places(Fields& fields, l7::TokenRule& rule) {
  fields.each("fromHeaders", [&](Fields& header) {
    const std::string name = header_name(header, "name");
    const std::string prefix = header.text_or("prefix", "");
    std::ignore = header.finish_strictly();
    if (!name.empty()) rule.headers.push_back({name, prefix});
  });
  rule.params = read_list(fields, "fromParams");
  rule.cookies = read_list(fields, "fromCookies");
  if (rule.headers.empty() && rule.params.empty() && rule.cookies.empty()) {
    rule.headers.push_back({"authorization", "Bearer "});
    rule.params.emplace_back("access_token");
  }
}

void read_outputs(Fields& fields, l7::TokenRule& rule) {
  if (fields.has("outputPayloadToHeader")) {
    rule.payload_header = header_name(fields, "outputPayloadToHeader");
  }
  fields.each("outputClaimToHeaders", [&](Fields& output) {
    const std::string header = header_name(output, "header");
    const std::string claim = output.text_or("claim", "");
    if (claim.empty()) output.error("claim", "missing: write the name of a claim");
    std::ignore = output.finish_strictly();
    if (!header.empty()) rule.claim_headers.push_back({header, claim});
  });
  rule.forward = fields.boolean("forwardOriginalToken").value_or(false);
}

l7::TokenRulePtr read_rule(Fields& fields) {
  l7::TokenRule rule;
  rule.issuer = fields.text_or("issuer", "");
  if (rule.issuer.empty()) fields.error("issuer", "missing: write what tokens have as iss");
  rule.audiences = read_list(fields, "audiences");
  read_keys(fields, rule);
  read_places(fields, rule);
  read_outputs(fields, rule);
  rule.space_delimited = read_list(fields, "spaceDelimitedClaims");
  for (const char* always : {"scope", "permission"}) rule.space_delimited.emplace_back(always);
  if (const auto timeout = fields.text("timeout")) {
    const auto parsed = parse_duration(*timeout);
    if (parsed) rule.timeout = *parsed;
    if (!parsed) fields.error("timeout", "is no duration up to a minute: write one such as 5s");
  }
  std::ignore = fields.finish_strictly();
  return std::make_shared<const l7::TokenRule>(std::move(rule));
}

}  // namespace

void read_request_authentication(Fields& fields, Metadata meta, FileObjects& out) {
  RequestAuthenticationObject object;
  object.authentication.ns = meta.ns;
  object.authentication.name = meta.name;
  Fields spec = fields.map("spec");
  const StringMap selector = read_selector(spec);
  object.targets = read_target_refs(spec, selector, meta.ns);
  spec.each("jwtRules", [&](Fields& rule) {
    if (!rule.present()) return rule.error("", "is empty: write an issuer, or remove the dash");
    object.authentication.rules.push_back(read_rule(rule));
  });
  std::ignore = spec.finish_strictly();
  fields.ignore({"status"});
  fields.finish();
  if (object.targets.empty()) {
    fields.warn("spec",
                "ztunnel does not see HTTP, and waypoints take policies with targetRefs only: the "
                "tokens are NOT CHECKED anywhere; write targetRefs to a waypoint's Gateway or to a "
                "Service");
  }
  object.meta = std::move(meta);
  out.request_authentications.push_back(std::move(object));
}

}  // namespace aquifer::manifests
