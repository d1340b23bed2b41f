#include "waypoint/upstream/request_hash.h"

#include "common/base/bytes.h"
#include "waypoint/upstream/cookies.h"
#include "waypoint/upstream/random_sequence.h"
#include "waypoint/upstream/stable_hash.h"

#include <fmt/format.h>

#include <string_view>

namespace aquifer::waypoint {
namespace {

using Kind = l7::HashSource::Kind;

std::optional<std::uint64_t> hash_text(std::optional<std::string_view> text) {
  return text ? std::optional(stable_hash(*text)) : std::nullopt;
}

std::optional<std::uint64_t> hash_by(const l7::HashSource& source, const l7::RequestView& request) {
  std::string scratch;
  switch (source.kind) {
    case Kind::header: return hash_text(request.header(source.name, scratch));
    case Kind::cookie: return hash_text(find_cookie(request.headers, source.name));
    case Kind::query: return hash_text(request.query(source.name, scratch));
    // Without the port: it differs with each connection.
    case Kind::source_ip: return stable_hash(as_text(request.source.ip.bytes()));
    case Kind::source_identity:
      if (request.identity == nullptr || request.identity->empty()) return std::nullopt;
      return stable_hash(request.identity->to_string());
  }
  return std::nullopt;
}

}  // namespace

RequestHash hash_of(std::span<const l7::HashSource> sources, const l7::RequestView& request,
                    std::uint64_t random) {
  for (const l7::HashSource& source : sources) {
    if (const auto hash = hash_by(source, request)) return {hash, {}};
    if (source.kind != Kind::cookie || !source.cookie_ttl) continue;
    const std::string value = fmt::format("{:016x}", mix_bits(random));
    std::string cookie =
        set_cookie_value({source.name, value, source.cookie_path, source.cookie_ttl});
    if (!cookie.empty()) return {stable_hash(value), std::move(cookie)};
  }
  return {};
}

}  // namespace aquifer::waypoint
