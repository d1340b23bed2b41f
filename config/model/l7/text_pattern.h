// Text compared as routes and policies of HTTP want it. Regular expressions are RE2's: they take
// time in proportion to the text, whoever wrote them. Immutable; any thread.
#pragma once

#include "common/base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace aquifer::l7 {

/// A compiled expression, shared by all copies of whatever holds it. Never null in a Regex that
/// compile() gave.
class Regex {
 public:
  /// RE2 syntax; the whole text must match. Errors: invalid, for what is no expression or needs
  /// more than kRegexMemory; `why`, if not null, says it for people.
  [[nodiscard]] static Result<Regex> compile(std::string_view expression,
                                             std::string* why = nullptr);
  Regex() noexcept = default;

  [[nodiscard]] bool matches(std::string_view text) const;
  /// `text` with every match replaced; \1 to \9 stand for groups.
  [[nodiscard]] std::string replace_all(std::string_view text, std::string_view substitution) const;
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  friend bool operator==(const Regex& a, const Regex& b) noexcept { return a.text_ == b.text_; }

 private:
  std::string text_;
  std::shared_ptr<const re2::RE2> compiled_;
};

struct TextPattern {
  enum class Kind : std::uint8_t {
    any,  ///< everything, the empty text too
    exact,
    prefix,
    suffix,
    contains,
    regex,
  };
  Kind kind = Kind::any;
  bool ignore_case = false;  ///< ASCII; a regex says so itself
  std::string text;          ///< lower case with ignore_case
  Regex regex;

  [[nodiscard]] static TextPattern exact(std::string text);
  [[nodiscard]] static TextPattern prefix(std::string text);
  [[nodiscard]] bool matches(std::string_view value) const;
  /// For people: `prefix "/a"`.
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const TextPattern&, const TextPattern&) = default;
};

}  // namespace aquifer::l7
