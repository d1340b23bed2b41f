// Paths of requests: one spelling for what servers take for the same, before anything is decided on
// it. What could be read in two ways is refused, or a policy about one path would be passed by
// another that means the same. Pure; any thread.
#pragma once

#include "common/base/result.h"

#include <string>
#include <string_view>

namespace aquifer::l7 {

/// The request target in origin form, normalised (RFC 3986 section 6.2.2, as Istio's BASE with
/// MERGE_SLASHES off): unreserved characters are decoded, other escapes get upper-case digits, dot
/// segments are resolved, a backslash is a slash; the query is kept as it is. Errors (the answer is
/// 400): no slash at the front, a control character or a NUL, also as an escape, a fragment, an
/// escape that is none, and dot segments that lead above the root. `*` stays.
[[nodiscard]] Result<std::string> normalise_path(std::string_view target);

/// True exactly when normalise_path() would give the same text: the usual case, without a copy.
[[nodiscard]] bool is_normal_path(std::string_view target) noexcept;

/// A query's name or value: `+` and escapes decoded; what is no escape stays as it is.
[[nodiscard]] std::string decode_query(std::string_view text);

}  // namespace aquifer::l7
