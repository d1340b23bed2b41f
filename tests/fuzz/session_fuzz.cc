// Bytes as what a client sends to name its endpoint: a Cookie field, the session in it, the key of
// a cluster. Whatever is understood has one spelling, and nothing is written that a header field
// cannot carry. The first byte says how much of the rest is the cookie's name.
#include "common/base/assert.h"
#include "common/base/header_fields.h"
#include "waypoint/upstream/cluster_name.h"
#include "waypoint/upstream/cookies.h"
#include "waypoint/upstream/request_hash.h"
#include "waypoint/upstream/session.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

using namespace aquifer;
using namespace aquifer::waypoint;

namespace {

constexpr WallSeconds kNow = 1'700'000'000;

void check_session(const l7::RequestView& request, std::string_view name, std::string_view path) {
  l7::Persistence rules;
  rules.name = name;
  rules.path = path;
  rules.absolute_timeout = std::chrono::seconds(100);
  rules.idle_timeout = std::chrono::seconds(50);
  const auto session = find_session(rules, request, kNow);
  if (session) {
    const auto text = find_cookie(request.headers, name);
    AQUIFER_ASSERT(text && encode_session(*session) == *text);
    AQUIFER_ASSERT(kNow - session->began < 100);
    AQUIFER_ASSERT(kNow - session->seen < 50);
  }
  const auto field = session_field(rules, session, 7, kNow);
  if (field) AQUIFER_ASSERT(is_field_value(field->value));
}

void check_hash(const l7::RequestView& request, std::string_view name, std::string_view path) {
  l7::HashSource source;
  source.kind = l7::HashSource::Kind::cookie;
  source.name = name;
  source.cookie_path = path;
  source.cookie_ttl = std::chrono::seconds(5);
  const RequestHash hash = hash_of(std::span(&source, 1), request, 1);
  AQUIFER_ASSERT(is_field_value(hash.set_cookie));
  if (hash.set_cookie.empty()) return;
  // What it makes is found again, and hashes alike.
  HeaderFields back;
  back.add("cookie", std::string_view(hash.set_cookie).substr(0, hash.set_cookie.find(';')));
  const l7::RequestView again{.method = "GET",
                              .scheme = "http",
                              .authority = "",
                              .path = "/",
                              .headers = back,
                              .source = {},
                              .destination = {},
                              .identity = nullptr};
  AQUIFER_ASSERT(hash_of(std::span(&source, 1), again, 2).hash == hash.hash);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::string_view name = text.substr(0, std::min<std::size_t>(data[0], text.size()));
  const std::string_view value = text.substr(name.size());
  HeaderFields headers;
  headers.add("Cookie", value);
  const l7::RequestView request{.method = "GET",
                                .scheme = "http",
                                .authority = "",
                                .path = "/",
                                .headers = headers,
                                .source = {},
                                .destination = {},
                                .identity = nullptr};
  check_session(request, name, "/");
  check_session(request, "session", value);
  check_hash(request, name, value);
  if (const auto session = decode_session(text)) AQUIFER_ASSERT(encode_session(*session) == text);
  if (const auto key = parse_cluster_key(text))
    AQUIFER_ASSERT(l7::cluster_key(key->service_ns, key->hostname, key->port, key->subset).size() <=
                   text.size());
  return 0;
}
