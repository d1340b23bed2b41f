// How events and lists of the admin port look to a person in a terminal. Whatever they say comes
// from a mesh or from peers: nothing of it may steer the terminal. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace aquifer::admin {

/// Controls become question marks.
[[nodiscard]] std::string harmless(std::string_view text);
/// A string member, harmless; empty when there is none.
[[nodiscard]] std::string text_of(const nlohmann::json& object, const char* name);
/// A number member; 0 when there is none.
[[nodiscard]] std::uint64_t number_of(const nlohmann::json& object, const char* name);
/// "976 B", "12.3 MiB"
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
/// "3 ms", "1.5 s", "4 min"
[[nodiscard]] std::string age_text(std::uint64_t ms);
/// The time of day of an RFC 3339 time: the day is known to whoever looks.
[[nodiscard]] std::string clock_text(const std::string& time);
/// Without "spiffe://"; "not proven" for none.
[[nodiscard]] std::string identity_text(std::string identity);

}  // namespace aquifer::admin
