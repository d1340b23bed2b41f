// What becomes of a request's path, and where a redirect leads. Pure; any thread.
#pragma once

#include "config/model/l7/route.h"

#include <string>
#include <string_view>

namespace aquifer::l7 {

/// The path and query that the backend sees. `match` is the route's own, which matched `path` (in
/// origin form, with its query). Begins with a slash, whatever the rewrite says; where a slash at a
/// new prefix's end meets one of the rest, there is one.
[[nodiscard]] std::string rewritten_path(const PathRewrite& rewrite, const PathMatch& match,
                                         std::string_view path);

/// What a redirect goes by.
struct RedirectedRequest {
  std::string_view scheme;
  std::string_view authority;
  std::string_view path;  ///< with its query
};

/// The Location of a redirect. A port is left out where it is the well-known one of the scheme.
[[nodiscard]] std::string redirect_location(const Redirect& redirect, const PathMatch& match,
                                            const RedirectedRequest& request);

}  // namespace aquifer::l7
