#include "config/model/egress_policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace aquifer::model {
namespace {

// RFC 1035 section 2.3.4, as text without the final dot.
constexpr std::size_t kHostBytesMax = 253;
constexpr std::size_t kLabelBytesMax = 63;

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Underscores are no host names, but occur in DNS and TLS.
bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= kLabelBytesMax && std::ranges::all_of(label, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool is_host(std::string_view text) {
  if (text.empty() || text.size() > kHostBytesMax) return false;
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool equal_lower(std::string_view name, std::string_view pattern) noexcept {
  return std::ranges::equal(name, pattern, {}, lower);
}

}  // namespace

std::string_view name_of(EgressAction action) noexcept {
  return action == EgressAction::allow ? "ALLOW" : "DENY";
}

std::optional<HostPattern> HostPattern::parse(std::string_view text) {
  if (text.size() > 1 && text.ends_with('.')) text.remove_suffix(1);
  HostPattern pattern;
  pattern.text_ = std::string(text);
  std::ranges::transform(pattern.text_, pattern.text_.begin(), lower);
  std::string_view rest = pattern.text_;
  if (rest == "*") return pattern;
  if (rest.starts_with("*.")) rest.remove_prefix(2);
  if (!is_host(rest)) return std::nullopt;
  return pattern;
}

bool HostPattern::matches(std::string_view name) const noexcept {
  if (name.empty()) return false;
  if (text_ == "*") return true;
  if (!text_.starts_with("*.")) return equal_lower(name, text_);
  const std::string_view below = std::string_view(text_).substr(1);  // ".example.com"
  return name.size() > below.size() && equal_lower(name.substr(name.size() - below.size()), below);
}

bool ServicePattern::matches(std::string_view service_ns, std::string_view service_name,
                             std::string_view hostname) const noexcept {
  if (ns.empty()) return host.matches(hostname);
  return ns == service_ns && (name == "*" || name == service_name);
}

std::string ServicePattern::text() const {
  return ns.empty() ? host.text() : ns + "/" + name;
}

std::string PortRange::text() const {
  return first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
}

}  // namespace aquifer::model
