#include "common/base/spiffe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace aquifer {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr std::string_view kNamespacePart = "/ns/";
constexpr std::string_view kServiceAccountPart = "/sa/";
// The limits of the SPIFFE ID standard, section 2.3: whole id and trust domain.
constexpr std::size_t kUriBytesMax = 2048;
constexpr std::size_t kTrustDomainBytesMax = 255;
// TD, "ns", NS, "sa", SA.
constexpr std::size_t kParts = 5;

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
constexpr bool is_mark(char c) {
  return c == '.' || c == '-' || c == '_';
}

// SPIFFE ID standard, section 2.1: lower case only, because host names would otherwise compare in
// two ways.
bool is_trust_domain(std::string_view text) {
  return !text.empty() && text.size() <= kTrustDomainBytesMax &&
         std::ranges::all_of(text, [](char c) { return is_lower(c) || is_digit(c) || is_mark(c); });
}

// SPIFFE ID standard, section 2.2: dot segments are forbidden, since a URI library could resolve
// them away.
bool is_segment(std::string_view text) {
  return !text.empty() && text != "." && text != ".." && std::ranges::all_of(text, [](char c) {
    return is_lower(c) || is_upper(c) || is_digit(c) || is_mark(c);
  });
}

}  // namespace

SpiffeId::SpiffeId(std::string uri, std::size_t trust_domain_bytes,
                   std::size_t namespace_bytes) noexcept
    : uri_(std::move(uri)),
      trust_domain_bytes_(static_cast<std::uint16_t>(trust_domain_bytes)),
      namespace_bytes_(static_cast<std::uint16_t>(namespace_bytes)) {}

Result<SpiffeId> SpiffeId::make(std::string_view trust_domain, std::string_view ns,
                                std::string_view service_account) {
  const bool valid = is_trust_domain(trust_domain) && is_segment(ns) && is_segment(service_account);
  if (!valid) return fail(Errc::invalid, "not a SPIFFE identity");
  if (ns.size() + service_account.size() > kUriBytesMax - kTrustDomainBytesMax) {
    return fail(Errc::invalid, "SPIFFE identity too long");
  }
  std::string uri = fmt::format("{}{}{}{}{}{}", kScheme, trust_domain, kNamespacePart, ns,
                                kServiceAccountPart, service_account);
  return SpiffeId(std::move(uri), trust_domain.size(), ns.size());
}

Result<SpiffeId> SpiffeId::parse(std::string_view uri) {
  if (uri.size() > kUriBytesMax || !uri.starts_with(kScheme)) {
    return fail(Errc::invalid, "not a SPIFFE identity");
  }
  uri.remove_prefix(kScheme.size());
  std::array<std::string_view, kParts> parts;
  for (std::size_t i = 0; i < kParts; ++i) {
    const bool last = i + 1 == kParts;
    const std::size_t slash = uri.find('/');
    // The last part must have no slash behind it, every other must.
    if (last != (slash == std::string_view::npos)) {
      return fail(Errc::invalid, "a SPIFFE identity has exactly five parts");
    }
    parts[i] = uri.substr(0, slash);
    if (!last) uri.remove_prefix(slash + 1);
  }
  if (parts[1] != "ns" || parts[3] != "sa") return fail(Errc::invalid, "not a SPIFFE identity");
  return make(parts[0], parts[2], parts[4]);
}

std::string_view SpiffeId::trust_domain() const noexcept {
  if (empty()) return {};
  return std::string_view(uri_).substr(kScheme.size(), trust_domain_bytes_);
}

std::string_view SpiffeId::ns() const noexcept {
  if (empty()) return {};
  const std::size_t start = kScheme.size() + trust_domain_bytes_ + kNamespacePart.size();
  return std::string_view(uri_).substr(start, namespace_bytes_);
}

std::string_view SpiffeId::service_account() const noexcept {
  if (empty()) return {};
  const std::size_t start = kScheme.size() + trust_domain_bytes_ + kNamespacePart.size() +
                            namespace_bytes_ + kServiceAccountPart.size();
  return std::string_view(uri_).substr(start);
}

std::string_view SpiffeId::principal() const noexcept {
  if (empty()) return {};
  return std::string_view(uri_).substr(kScheme.size());
}

}  // namespace aquifer
