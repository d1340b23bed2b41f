#include "common/hbone/forwarded.h"

#include <algorithm>

namespace aquifer::hbone {
namespace {

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string_view unquote(std::string_view text) noexcept {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    return text.substr(1, text.size() - 2);
  return text;
}

/// Parameter names are case-insensitive (RFC 7239 section 4).
bool is_name(std::string_view text, std::string_view lower) noexcept {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
  });
}

bool printable_ascii(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

std::string build_forwarded(const SocketAddress& source, std::string_view host) {
  std::string out = "for=\"";
  out += source.to_string();
  out += '"';
  if (!host.empty()) {
    out += ";host=";
    out += host;
  }
  return out;
}

Forwarded parse_forwarded(std::string_view text) {
  Forwarded forwarded;
  while (!text.empty()) {
    const std::size_t semicolon = text.find(';');
    const std::string_view pair = text.substr(0, semicolon);
    text = semicolon == std::string_view::npos ? std::string_view{} : text.substr(semicolon + 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = trim(pair.substr(0, equals));
    const std::string_view value = unquote(trim(pair.substr(equals + 1)));
    if (is_name(name, "host") && printable_ascii(value)) forwarded.host = value;
    if (is_name(name, "for")) {
      if (auto source = SocketAddress::parse(value); source) forwarded.source = *source;
    }
  }
  return forwarded;
}

}  // namespace aquifer::hbone
