#include "ztunnel/explain/question.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace aquifer::ztunnel {
namespace {

// RFC 1035 section 2.3.4: the longest name, as text.
constexpr std::size_t kHostBytesMax = 253;
// The longest name Kubernetes allows.
constexpr std::size_t kNameBytesMax = 253;
constexpr std::size_t kShownBytesMax = 60;

std::string in_quotes(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, kShownBytesMax)) {
    const auto byte = static_cast<unsigned char>(c);
    shown += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return fmt::format("\"{}{}\"", shown, text.size() > kShownBytesMax ? "..." : "");
}

bool is_word_of(std::string_view text, std::string_view extra) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || extra.contains(c);
  });
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

std::expected<ExplainSource, std::string> parse_source(std::string_view text) {
  ExplainSource source;
  if (const auto address = IpAddress::parse(text)) {
    source.address = *address;
    return source;
  }
  const std::size_t slash = text.find('/');
  const std::string_view ns = text.substr(0, slash);
  const std::string_view pod = slash == std::string_view::npos ? "" : text.substr(slash + 1);
  const bool good =
      text.size() <= 2 * kNameBytesMax && is_word_of(ns, "-.") && is_word_of(pod, "-.");
  if (!good) {
    return std::unexpected(fmt::format(
        "--from {}: write NAMESPACE/POD, such as shop/web-1, or an IP address", in_quotes(text)));
  }
  source.ns = ns;
  source.pod = pod;
  return source;
}

std::expected<ExplainDestination, std::string> parse_destination(std::string_view text) {
  const auto wrong = [&](std::string_view what) {
    return std::unexpected(
        fmt::format("--to {}: {}; write HOST:PORT, IP:PORT or [IPV6]:PORT, such as web.shop:80",
                    in_quotes(text), what));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("the port is missing");
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']') && host.size() >= 2;
  if (!bracketed && host.contains(':')) return wrong("an IPv6 address needs brackets and a port");
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return wrong("the port must be a number from 1 to 65535");
  ExplainDestination destination;
  destination.port = *port;
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (const auto address = IpAddress::parse(host)) {
    if (bracketed && address->is_v4() && !host.contains(':'))
      return wrong("only IPv6 addresses have brackets");
    if (address->is_unspecified()) return wrong("nobody can connect to the unspecified address");
    destination.address = *address;
    return destination;
  }
  if (bracketed) return wrong("what stands in brackets is no IPv6 address");
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > kHostBytesMax) return wrong("the host name is too long");
  if (!is_word_of(host, "-._")) return wrong("that is no host name");
  if (host.starts_with('.') || host.contains("..")) return wrong("that is no host name");
  destination.host = host;
  std::ranges::transform(destination.host, destination.host.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return destination;
}

std::expected<std::pair<std::string, std::string>, std::string> parse_header(
    std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  // RFC 9110 section 5.6.2: the characters of a token.
  if (colon == std::string_view::npos || !is_word_of(name, "!#$%&'*+-.^_`|~")) {
    return std::unexpected(
        fmt::format("-H {}: write 'name: value', such as 'x-user: mia'", in_quotes(text)));
  }
  std::string_view value = text.substr(colon + 1);
  while (value.starts_with(' ')) value.remove_prefix(1);
  while (value.ends_with(' ')) value.remove_suffix(1);
  return std::pair(std::string(name), std::string(value));
}

}  // namespace aquifer::ztunnel
