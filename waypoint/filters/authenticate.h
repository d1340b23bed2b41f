// RequestAuthentication: whose token does a request carry? A plain function on a worker's loop.
#pragma once

#include "common/http/message.h"
#include "common/jwt/token.h"
#include "config/model/l7/request_authentication.h"
#include "waypoint/filters/token_keys.h"

#include <chrono>
#include <expected>
#include <memory>
#include <span>

namespace aquifer::waypoint {

/// Takes out of the request what rules would put in: nobody may say it in their place.
void remove_claim_headers(std::span<const l7::TokenRulePtr> rules, http::RequestHead& head);

/// The token that is believed, or null when the request carries none in any place that a rule
/// names. A rule believes a request when all tokens in its places are valid for it, and the first
/// rule that does decides; when tokens are there and no rule believes them, the fault is the most
/// telling one. What the deciding rule says is done to the request: claims become header fields,
/// tokens are taken out.
[[nodiscard]] std::expected<std::shared_ptr<const jwt::Token>, jwt::Fault> authenticate(
    std::span<const l7::TokenRulePtr> rules, TokenKeys& keys, std::chrono::sys_seconds now,
    http::RequestHead& head);

/// A browser's question before the request itself (Fetch, CORS-preflight): it never has a token.
[[nodiscard]] bool is_cors_preflight(const http::RequestHead& head);

}  // namespace aquifer::waypoint
