#include "common/admin/event_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace aquifer::admin {

using nlohmann::json;

std::string harmless(std::string_view text) {
  std::string out;
  for (const char c : text)
    out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c);
  return out;
}

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? harmless(found->get<std::string>()) : "";
}

std::uint64_t number_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<std::uint64_t>() : 0;
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  const char* unit = "KiB";
  for (const char* larger : {"MiB", "GiB", "TiB"}) {
    if (value < 1000) break;
    value /= 1024;
    unit = larger;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

std::string age_text(std::uint64_t ms) {
  if (ms < 1'000) return fmt::format("{} ms", ms);
  if (ms < 100'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000);
  const std::uint64_t minutes = ms / 60'000;
  if (minutes < 120) return fmt::format("{} min", minutes);
  return fmt::format("{} h", minutes / 60);
}

std::string clock_text(const std::string& time) {
  return time.size() >= 23 ? time.substr(11, 12) : time;
}

std::string identity_text(std::string identity) {
  constexpr std::string_view kScheme = "spiffe://";
  if (identity.starts_with(kScheme)) identity.erase(0, kScheme.size());
  return identity.empty() ? "not proven" : identity;
}

}  // namespace aquifer::admin
