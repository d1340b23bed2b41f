// Which lines are wanted: levels, and the filter in the syntax of RUST_LOG. Plain values, any
// thread.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::log {

/// From silent to chatty. A filter's level lets through itself and everything before it.
enum class Level : std::uint8_t { off, error, warn, info, debug, trace };

/// "info"; lower case, as in the log itself.
[[nodiscard]] std::string_view name_of(Level level) noexcept;
/// Any case; nothing when the word is no level.
[[nodiscard]] std::optional<Level> parse_level(std::string_view word) noexcept;

/// A list of clauses `LEVEL`, `TARGET=LEVEL` or `TARGET` (which means all of it). A target stands
/// for itself and for what follows it after `::`; the longest one that fits decides. The program's
/// own name in front of a target is ignored (`ztunnel::proxy` is `proxy`), and alone it stands for
/// every target but the traffic logs `access` and `dns`, as it does for the peer.
class Filter {
 public:
  /// Lets through info and above.
  Filter() = default;

  /// Applies `text` on top of this filter: a later clause replaces an earlier one of the same
  /// target. The error is one line that names the clause.
  [[nodiscard]] std::expected<Filter, std::string> with(std::string_view text) const;
  [[nodiscard]] static std::expected<Filter, std::string> parse(std::string_view text) {
    return Filter().with(text);
  }

  [[nodiscard]] bool enabled(Level level, std::string_view target) const noexcept;
  /// The chattiest level that any clause lets through.
  [[nodiscard]] Level most() const noexcept;
  /// The clauses again, longest target first, the default last: "access=off,info".
  [[nodiscard]] std::string to_string() const;

 private:
  struct Clause {
    std::string target;
    Level level;
  };
  std::vector<Clause> clauses_;  // longest target first, so the first that fits decides
  std::optional<Level> program_;
  Level default_ = Level::info;
};

}  // namespace aquifer::log
