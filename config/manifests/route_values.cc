#include "config/manifests/route_values.h"

#include "common/base/header_fields.h"
#include "config/model/l7/path.h"
#include "config/model/l7/route.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace aquifer::manifests {
namespace {

// Longer waits are nobody's timeout; and sums of a few stay far from the clock's end.
constexpr double kLongestSeconds = 366.0 * 24 * 3600;

// The longer units first: "ms" begins like "m".
constexpr std::array kUnits{
    std::pair{std::string_view("ms"), 1e-3}, std::pair{std::string_view("us"), 1e-6},
    std::pair{std::string_view("ns"), 1e-9}, std::pair{std::string_view("h"), 3600.0},
    std::pair{std::string_view("m"), 60.0},  std::pair{std::string_view("s"), 1.0},
};

std::optional<double> take_number(std::string_view& text) noexcept {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(value) || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) noexcept {
  // Go writes no duration at all without a unit, but for this.
  if (text == "0") return Duration::zero();
  double seconds = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    if (text.front() == '-' || text.front() == '+') return std::nullopt;
    const auto number = take_number(text);
    if (!number) return std::nullopt;
    const auto* unit =
        std::ranges::find_if(kUnits, [&](const auto& row) { return text.starts_with(row.first); });
    if (unit == kUnits.end()) return std::nullopt;
    text.remove_prefix(unit->first.size());
    seconds += *number * unit->second;
    if (seconds > kLongestSeconds) return std::nullopt;
  }
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds) +
                                              std::chrono::duration<double, std::nano>(0.5));
}

std::optional<Duration> read_duration(Fields& fields, std::string_view name) {
  const auto text = fields.text(name);
  if (!text) return std::nullopt;
  const auto duration = parse_duration(*text);
  if (!duration) {
    fields.error(name, fmt::format("{} is no duration: write one such as 500ms, 10s or 1m30s, "
                                   "of a year at most",
                                   in_quotes(*text)));
  }
  return duration;
}

std::optional<std::uint32_t> read_count(Fields& fields, std::string_view name,
                                        std::uint32_t maximum) {
  const auto text = fields.text(name);
  if (!text) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error == std::errc() && end == text->data() + text->size() && value <= maximum) return value;
  fields.error(name, fmt::format("{} is not a number from 0 to {}", in_quotes(*text), maximum));
  return std::nullopt;
}

std::optional<double> read_decimal(Fields& fields, std::string_view name, double low, double high) {
  const auto text = fields.text(name);
  if (!text) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  const bool whole = error == std::errc() && end == text->data() + text->size();
  if (whole && std::isfinite(value) && value >= low && value <= high) return value;
  fields.error(name, fmt::format("{} is not a number from {} to {}", in_quotes(*text), low, high));
  return std::nullopt;
}

std::optional<std::uint32_t> read_percent_map(Fields& fields, std::string_view name) {
  Fields percent = fields.map(name);
  if (!percent.present()) return std::nullopt;
  const auto value = read_decimal(percent, "value", 0, 100);
  percent.finish();
  if (!value) return 0;  // protobuf's default; a mistyped one is an error already
  return static_cast<std::uint32_t>(std::lround(*value * (l7::kWhole / 100.0)));
}

std::optional<std::string> header_name(const Fields& fields, std::string_view field,
                                       std::string_view text, PseudoHeaders pseudo) {
  const bool is_pseudo =
      text == ":method" || text == ":authority" || text == ":path" || text == ":scheme";
  if (is_token(text) || (is_pseudo && pseudo == PseudoHeaders::allowed)) return lower_case(text);
  fields.error(field, text.empty()
                          ? std::string("missing: write the name of a header field")
                          : fmt::format("{} is no name of a header field", in_quotes(text)));
  return std::nullopt;
}

std::optional<l7::Regex> read_regex(const Fields& fields, std::string_view field,
                                    std::string_view expression) {
  std::string why;
  auto regex = l7::Regex::compile(expression, &why);
  if (regex) return std::move(*regex);
  fields.error(field, fmt::format("{} is no regular expression ({}): write one of RE2's",
                                  in_quotes(expression), why));
  return std::nullopt;
}

std::optional<std::string> match_path(const Fields& fields, std::string_view field,
                                      std::string_view text) {
  if (text.contains('?') || text.contains('#')) {
    fields.error(field, fmt::format("{} holds more than a path: write queries as queryParams",
                                    in_quotes(text)));
    return std::nullopt;
  }
  auto normal = l7::normalise_path(text);
  if (normal) return std::move(*normal);
  fields.error(field, fmt::format("{} is no path: write one that begins with / and has no control "
                                  "characters, and % before two digits only",
                                  in_quotes(text)));
  return std::nullopt;
}

bool within(const Fields& fields, std::string_view field, std::size_t count, std::size_t maximum) {
  if (count <= maximum) return true;
  fields.error(field, fmt::format("{} of them; at most {} are read", count, maximum));
  return false;
}

}  // namespace aquifer::manifests
