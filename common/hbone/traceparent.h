// The `traceparent` field (W3C Trace Context, version 00). Pure; any thread. Randomness is passed
// in.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aquifer::hbone {

/// The ids of one connection. Neither is all zero.
struct TraceContext {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};

  /// `random` gives 64 random bits a call; called three times, or more in the case of a zero.
  template <typename Random>
  [[nodiscard]] static TraceContext make(Random&& random) {
    TraceContext context;
    const std::uint64_t high = nonzero(random);
    const std::uint64_t low = nonzero(random);
    const std::uint64_t span = nonzero(random);
    for (std::size_t i = 0; i < 8; ++i) {
      context.trace_id[i] = static_cast<std::uint8_t>(high >> (8 * i));
      context.trace_id[8 + i] = static_cast<std::uint8_t>(low >> (8 * i));
      context.span_id[i] = static_cast<std::uint8_t>(span >> (8 * i));
    }
    return context;
  }

  /// 32 lower-case hex digits: the id of the access log.
  [[nodiscard]] std::string trace_id_text() const;
  /// `00-<trace id>-<span id>-00`: not sampled.
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const TraceContext&, const TraceContext&) noexcept = default;

 private:
  template <typename Random>
  static std::uint64_t nonzero(Random& random) {
    for (;;) {
      if (const std::uint64_t bits = random(); bits != 0) return bits;
    }
  }
};

/// Accepts exactly the form of version 00, with any flags; nothing for all else and for ids of
/// zeros.
[[nodiscard]] std::optional<TraceContext> parse_traceparent(std::string_view text);

}  // namespace aquifer::hbone
