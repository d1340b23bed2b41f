// Header changes, redirects and rewrites: what a route does to heads. Plain functions.
#pragma once

#include "common/http/message.h"
#include "config/model/l7/route.h"
#include "waypoint/local_reply.h"

#include <string>
#include <string_view>

namespace aquifer::waypoint {

void change_headers(const l7::HeaderChanges& changes, HeaderFields& fields);

/// The path, with its query, after `rewrite`; `match` is what the route matched.
[[nodiscard]] std::string rewritten_path(const l7::PathRewrite& rewrite, const l7::PathMatch& match,
                                         std::string_view path);

/// The answer of a redirecting route.
[[nodiscard]] LocalReply redirect_reply(const l7::Redirect& redirect, const l7::PathMatch& match,
                                        const http::RequestHead& request);

}  // namespace aquifer::waypoint
