#include "common/base/environment.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <thread>

namespace aquifer {

Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Result<Duration> parse_duration(std::string_view text) {
  double amount = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  if (error != std::errc{} || !std::isfinite(amount) || amount <= 0)
    return fail(Errc::invalid, "not a duration");
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::array<std::pair<std::string_view, double>, 14> kUnits{{{"", 1},
                                                                        {"ms", 0.001},
                                                                        {"s", 1},
                                                                        {"sec", 1},
                                                                        {"secs", 1},
                                                                        {"m", 60},
                                                                        {"min", 60},
                                                                        {"mins", 60},
                                                                        {"h", 3600},
                                                                        {"hr", 3600},
                                                                        {"hrs", 3600},
                                                                        {"d", 86400},
                                                                        {"day", 86400},
                                                                        {"days", 86400}}};
  const auto found = std::ranges::find(kUnits, unit, &std::pair<std::string_view, double>::first);
  // A hundred years: beyond any meaning, and far from overflow.
  constexpr double kSecondsMax = 100.0 * 365 * 86400;
  if (found == kUnits.end() || amount * found->second > kSecondsMax)
    return fail(Errc::invalid, "not a duration");
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(amount * found->second));
}

void EnvironmentReader::text(const char* name, std::string& out) {
  if (const auto value = environment_(name)) out = *value;
}

void EnvironmentReader::boolean(const char* name, bool& out) {
  const auto value = environment_(name);
  if (!value) return;
  if (*value == "true" || *value == "1") {
    out = true;
  } else if (*value == "false" || *value == "0") {
    out = false;
  } else {
    complain(name, *value, "write true or false");
  }
}

std::optional<std::uint64_t> EnvironmentReader::whole_number(const char* name, std::uint64_t least,
                                                             std::uint64_t most) {
  const auto value = environment_(name);
  if (!value) return std::nullopt;
  std::uint64_t parsed = 0;
  const char* last = value->data() + value->size();
  const auto [end, error] = std::from_chars(value->data(), last, parsed);
  if (error == std::errc{} && end == last && parsed >= least && parsed <= most) return parsed;
  complain(name, *value, fmt::format("write a number from {} to {}", least, most));
  return std::nullopt;
}

void EnvironmentReader::duration(const char* name, Duration& out) {
  const auto value = environment_(name);
  if (!value) return;
  if (const auto parsed = parse_duration(*value)) {
    out = *parsed;
  } else {
    complain(name, *value, "write a duration such as 5s, 10m or 1h");
  }
}

void EnvironmentReader::seconds(const char* name, int& out) {
  Duration value = std::chrono::seconds(out);
  duration(name, value);
  out = static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(value).count());
}

void EnvironmentReader::complain(const char* name, std::string_view value, std::string_view mend) {
  if (complaint_.empty()) complaint_ = fmt::format("{}={}: {}", name, value, mend);
}

std::uint32_t read_worker_count(EnvironmentReader& reader, const char* name) {
  constexpr std::uint32_t kWorkersMax = 256;
  const std::uint32_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::uint32_t usual = std::max(2U, (cores + 3) / 4);
  const auto value = reader.value_of(name);
  if (!value) return usual;
  const bool share = value->ends_with('%');
  const std::string_view digits =
      std::string_view(*value).substr(0, value->size() - (share ? 1 : 0));
  std::uint32_t parsed = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed);
  if (error != std::errc{} || end != digits.data() + digits.size() ||
      parsed > (share ? 100 : kWorkersMax)) {
    reader.complain(name, *value, "write a number of threads, 0 for all cores, or N%");
    return usual;
  }
  if (share) return std::max(1U, (cores * parsed + 99) / 100);
  return parsed == 0 ? cores : parsed;
}

}  // namespace aquifer
