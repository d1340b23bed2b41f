// Which connections get a line in the access log, by the namespace of the captured pod and by how
// they ended. Beside the log's own filter, which knows levels and targets only.
//
//   shop:denied,batch:1%,*:error
//
// says: of namespace shop only what was denied; of batch one in a hundred of those that ended well,
// and all others; elsewhere failures and denials. From silent to chatty a namespace has
//
//   none     nothing at all: the only word that hides denials
//   denied   what policy or the proxy refused
//   error    that, and what failed
//   N%       that, and this share of what ended well (0% is error, 100% is all)
//   all      everything, also the opening events if the log's filter lets debug through
//
// A namespace without a clause has that of `*`; without that, `all`.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::telemetry {

/// How a connection ended, as far as the filter tells apart.
enum class Outcome : std::uint8_t { well, failed, denied };

class AccessFilter {
 public:
  /// Everything.
  AccessFilter() = default;
  /// The error is one line that quotes the clause and says what to write.
  [[nodiscard]] static std::expected<AccessFilter, std::string> parse(std::string_view text);

  /// `draw` is a random number: it decides what is sampled.
  [[nodiscard]] bool takes(std::string_view ns, Outcome outcome, std::uint32_t draw) const noexcept;
  /// Are opening events wanted? Only where everything is: others would have no end.
  [[nodiscard]] bool takes_openings(std::string_view ns) const noexcept;
  [[nodiscard]] bool takes_all() const noexcept { return rules_.empty() && others_ == Rule(); }
  /// The clauses again, `*` last: "batch:1%,shop:denied,*:error".
  [[nodiscard]] std::string to_string() const;

  /// More clauses than a person writes, few enough to look through for each connection.
  static constexpr std::size_t kClausesMax = 256;

 private:
  static constexpr std::uint32_t kWhole = 1'000'000;
  struct Rule {
    std::uint32_t well_per_million = kWhole;
    bool failed = true;
    bool denied = true;
    friend bool operator==(const Rule&, const Rule&) = default;
  };
  struct Clause {
    std::string ns;
    Rule rule;
  };
  [[nodiscard]] static std::expected<Rule, std::string> parse_rule(std::string_view word);
  [[nodiscard]] static std::string text_of(const Rule& rule);
  [[nodiscard]] const Rule& rule_for(std::string_view ns) const noexcept;

  std::vector<Clause> rules_;  // sorted by namespace
  Rule others_;
};

/// The filter in force, and its replacement at run time. Any thread.
[[nodiscard]] AccessFilter access_filter();
void set_access_filter(AccessFilter filter);

/// Asks the filter in force; draws for what is sampled. Any thread, without a lock unless the
/// filter has just changed.
[[nodiscard]] bool access_log_takes(std::string_view ns, Outcome outcome) noexcept;
[[nodiscard]] bool access_log_takes_opening(std::string_view ns) noexcept;

}  // namespace aquifer::telemetry
