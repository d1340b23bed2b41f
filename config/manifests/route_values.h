// Values that routes and traffic policies are written with: durations, shares, expressions, header
// names. Each reader reports what it cannot read and then gives nothing.
#pragma once

#include "common/base/time.h"
#include "config/manifests/fields.h"
#include "config/manifests/lint/words.h"
#include "config/manifests/read_entry_spec.h"
#include "config/model/l7/text_pattern.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aquifer::manifests {

/// Objects of hand have a dozen; generated ones a few hundred. Istio refuses VirtualServices that
/// do not fit into 1.5 MiB of etcd, which is about as many.
inline constexpr std::size_t kRulesMax = 5'000;
/// Gateway API allows 64 matches in a rule, 16 header and query matches in each, 16 backends and
/// filters; these leave room for what is not Gateway API.
inline constexpr std::size_t kMatchesMax = 256;
inline constexpr std::size_t kItemsMax = 128;
/// A body that is written into a route.
inline constexpr std::size_t kBodyBytesMax = 64 * 1024;

/// "1h2m3.5s", as Go and GEP-2257 write it: h, m, s, ms, us, ns. None for what is none, is negative
/// or longer than a year.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text) noexcept;
[[nodiscard]] std::optional<Duration> read_duration(Fields& fields, std::string_view name);
/// 0 to `maximum`.
[[nodiscard]] std::optional<std::uint32_t> read_count(Fields& fields, std::string_view name,
                                                      std::uint32_t maximum);
/// A decimal number within the bounds.
[[nodiscard]] std::optional<double> read_decimal(Fields& fields, std::string_view name, double low,
                                                 double high);
/// Istio's Percent, the map {value: 12.5}, in millionths.
[[nodiscard]] std::optional<std::uint32_t> read_percent_map(Fields& fields, std::string_view name);
/// In lower case. `pseudo` lets names such as ":authority" pass.
enum class PseudoHeaders : std::uint8_t { refused, allowed };
[[nodiscard]] std::optional<std::string> header_name(const Fields& fields, std::string_view field,
                                                     std::string_view text, PseudoHeaders pseudo);
[[nodiscard]] std::optional<l7::Regex> read_regex(const Fields& fields, std::string_view field,
                                                  std::string_view expression);
/// A path of a match as requests are compared with it: normalised (config/model/l7/path.h).
[[nodiscard]] std::optional<std::string> match_path(const Fields& fields, std::string_view field,
                                                    std::string_view text);
/// False, with a line, when there are more of them than is allowed.
[[nodiscard]] bool within(const Fields& fields, std::string_view field, std::size_t count,
                          std::size_t maximum);

}  // namespace aquifer::manifests
