#include "waypoint/keys/fetch_keys.h"

#include "common/http1/response_parser.h"
#include "common/tls/web_connection.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

namespace aquifer::waypoint {
namespace {

// Of one read; a key set is read in one or two.
constexpr std::size_t kReadBytes = 16384;

std::expected<std::string, std::string> get(const KeyUrl& url, tls::WebConnection::Limits limits) {
  auto connection = tls::WebConnection::connect(url.host, url.port, url.secure, std::move(limits));
  if (!connection) return std::unexpected(connection.error().message());
  const bool usual = url.port == (url.secure ? 443 : 80);
  const std::string host = url.host.contains(':') ? fmt::format("[{}]", url.host) : url.host;
  const std::string request = fmt::format(
      "GET {} HTTP/1.1\r\nhost: {}{}\r\naccept: application/json\r\nuser-agent: "
      "aquifer\r\nconnection: close\r\n\r\n",
      url.path, host, usual ? "" : fmt::format(":{}", url.port));
  if (const Status sent = connection->send(as_bytes(request)); !sent) {
    return std::unexpected(sent.error().message());
  }
  http1::ResponseParser parser;
  std::string body;
  std::array<std::uint8_t, kReadBytes> buffer{};
  while (!parser.complete()) {
    const auto got = connection->receive(buffer);
    if (!got) return std::unexpected(got.error().message());
    const Status read =
        *got == 0 ? parser.finish() : parser.feed(ByteView(buffer.data(), *got), body);
    if (!read) return std::unexpected(fmt::format("no HTTP answer: {}", read.error().message()));
    if (body.size() > jwt::kKeySetBytesMax) return std::unexpected("the answer is too long");
    if (*got == 0) break;
  }
  if (parser.status() != 200) {
    return std::unexpected(fmt::format("the server answers {}", parser.status()));
  }
  return body;
}

}  // namespace

std::expected<KeyUrl, std::string> parse_key_url(std::string_view text) {
  KeyUrl url;
  constexpr std::string_view kPlain = "http://";
  constexpr std::string_view kSecure = "https://";
  if (text.starts_with(kSecure)) {
    url.secure = true;
    text.remove_prefix(kSecure.size());
  } else if (text.starts_with(kPlain)) {
    text.remove_prefix(kPlain.size());
  } else {
    return std::unexpected("it begins neither with http:// nor with https://");
  }
  for (const char c : text) {
    if (c <= ' ' || c > '~') return std::unexpected("it holds a blank or a control character");
  }
  text = text.substr(0, text.find('#'));
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, end);
  url.path = text.substr(end);
  if (!url.path.starts_with('/')) url.path.insert(0, "/");
  if (authority.contains('@')) return std::unexpected("it names a user");
  url.port = url.secure ? 443 : 80;
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    const std::string_view port = authority.substr(colon + 1);
    const auto [at, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc{} || at != port.data() + port.size() || url.port == 0) {
      return std::unexpected("its port is no number from 1 to 65535");
    }
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']')) {
    authority = authority.substr(1, authority.size() - 2);
  }
  if (authority.empty()) return std::unexpected("it names no host");
  url.host = authority;
  return url;
}

std::expected<jwt::KeySet, std::string> fetch_keys(std::string_view text,
                                                   std::chrono::milliseconds timeout,
                                                   std::stop_token stop) {
  const auto url = parse_key_url(text);
  if (!url) return std::unexpected(url.error());
  auto body =
      get(*url, {.deadline = std::chrono::steady_clock::now() + timeout, .stop = std::move(stop)});
  if (!body) return std::unexpected(std::move(body.error()));
  return jwt::KeySet::parse(*body);
}

}  // namespace aquifer::waypoint
