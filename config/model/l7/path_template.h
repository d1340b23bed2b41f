// Istio's path templates in policies: `{*}` stands for one segment, `{**}` for the rest of a path.
// A plain value; any thread.
#pragma once

#include "common/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::l7 {

class PathTemplate {
 public:
  /// Matches nothing.
  PathTemplate() noexcept = default;
  /// Is this text a template, and not a plain path?
  [[nodiscard]] static bool is_template(std::string_view text) noexcept;
  /// Errors: invalid, when `{*}` or `{**}` is not a whole segment, when one stands behind `{**}`,
  /// or when there are other braces or stars.
  [[nodiscard]] static Result<PathTemplate> parse(std::string_view text);

  /// `path` is without its query.
  [[nodiscard]] bool matches(std::string_view path) const noexcept;
  /// What every path begins with that matches.
  [[nodiscard]] std::string_view prefix() const noexcept;
  /// Some path that matches.
  [[nodiscard]] std::string example() const;
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  friend bool operator==(const PathTemplate& a, const PathTemplate& b) noexcept {
    return a.text_ == b.text_;
  }

 private:
  enum class Kind : std::uint8_t {
    literal,
    segment,  ///< one or more characters, no slash
    rest,     ///< anything
  };
  struct Piece {
    Kind kind = Kind::literal;
    std::string text;
  };

  std::string text_;
  std::vector<Piece> pieces_;
};

}  // namespace aquifer::l7
