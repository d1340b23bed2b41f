// What policies ask of requests, in words: for logs and for `explain`.
#pragma once

#include "config/model/l7/expression.h"
#include "config/model/l7/request_policy.h"

#include <optional>
#include <string>
#include <vector>

namespace aquifer::l7 {

/// A condition that keeps an expression from being true: single ones of one attribute count as one
/// condition, "the method is GET or HEAD".
struct Miss {
  const Expression* condition = nullptr;
  /// True: it is one that must not hold, and does.
  bool negated = false;
};

/// The fewest conditions that would have to change; empty when it is true, none when no request can
/// make it so.
[[nodiscard]] std::optional<std::vector<Miss>> misses(const Expression& expression,
                                                      const SecurityQuestion& question);
/// The same for a rule.
[[nodiscard]] std::optional<std::vector<Miss>> misses(const RequestRule& rule,
                                                      const SecurityQuestion& question);

/// "method GET or HEAD; not path /admin": all that it asks.
[[nodiscard]] std::string describe(const Expression& expression);
/// "the method is POST, not GET or HEAD".
[[nodiscard]] std::string describe_miss(const Miss& miss, const SecurityQuestion& question);
/// "the method were GET or HEAD".
[[nodiscard]] std::string describe_wish(const Miss& miss);

/// "rules[1] matches method POST; path /a*", or "rules[1] does not match: the method is ...".
/// `number` names a rule of the manifest.
[[nodiscard]] std::string describe_rule(const RequestPolicy& policy, std::size_t number,
                                        const SecurityQuestion& question);

/// The single conditions of one attribute that an expression consists of: itself, or the parts of
/// an AnyOf or NoneOf. Empty: it is of another form.
[[nodiscard]] std::vector<const Expression*> alternatives(const Expression& expression);

}  // namespace aquifer::l7
