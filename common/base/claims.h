// What a verified token says of whoever sent it: a tree of values, without the format that carried
// it. A plain value; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aquifer {

/// One claim, or the whole of them as an object.
struct Claim {
  enum class Kind : std::uint8_t { none, boolean, number, text, list, object };
  Kind kind = Kind::none;
  /// What it is called, in an object.
  std::string name;
  /// Of a text itself; numbers and booleans as they are written: "17", "true".
  std::string text;
  /// Of a list or an object.
  std::vector<Claim> parts;

  [[nodiscard]] static Claim of_text(std::string name, std::string text) {
    return {Kind::text, std::move(name), std::move(text), {}};
  }
  /// A member of an object; null when there is none, or when it is no object.
  [[nodiscard]] const Claim* member(std::string_view wanted) const noexcept;
  /// By names from the outside in.
  [[nodiscard]] const Claim* find(std::span<const std::string> path) const noexcept;
  /// A member that is a text; empty when there is none.
  [[nodiscard]] std::string_view text_of(std::string_view wanted) const noexcept;
  friend bool operator==(const Claim&, const Claim&) = default;
};

}  // namespace aquifer
