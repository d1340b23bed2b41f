// Header changes and redirects: what a route does to heads. Plain functions; for paths and
// locations those that `explain` calls, too (config/model/l7/rewrite.h).
#pragma once

#include "common/http/message.h"
#include "config/model/l7/rewrite.h"
#include "config/model/l7/route.h"
#include "waypoint/local_reply.h"

namespace aquifer::waypoint {

void change_headers(const l7::HeaderChanges& changes, HeaderFields& fields);

/// The answer of a redirecting route.
[[nodiscard]] LocalReply redirect_reply(const l7::Redirect& redirect, const l7::PathMatch& match,
                                        const http::RequestHead& request);

}  // namespace aquifer::waypoint
