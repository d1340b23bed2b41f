// RequestAuthentication as a waypoint keeps it: which tokens are believed, and where they are
// looked for. Plain values, immutable once they are in a book.
#pragma once

#include "config/model/l7/request_policy.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace aquifer::l7 {

struct TokenHeader {
  std::string name;
  /// What stands before the token: "Bearer ".
  std::string prefix;
  friend bool operator==(const TokenHeader&, const TokenHeader&) = default;
};

struct ClaimHeader {
  std::string header;
  std::string claim;
  friend bool operator==(const ClaimHeader&, const ClaimHeader&) = default;
};

/// One issuer, as one of the jwtRules says it.
struct TokenRule {
  std::string issuer;
  /// Without any, a token for anybody will do.
  std::vector<std::string> audiences;
  /// The keys as JSON; empty when they are fetched.
  std::string jwks;
  /// http://, https:// or file://; empty when they stand here.
  std::string jwks_uri;
  // Where the token is; the usual places are written out.
  std::vector<TokenHeader> headers;
  std::vector<std::string> params;
  std::vector<std::string> cookies;
  /// Gets the payload in base64url; empty: none does.
  std::string payload_header;
  std::vector<ClaimHeader> claim_headers;
  /// Does the token go on to the application?
  bool forward = false;
  /// Claims that are lists written as one text; `scope` and `permission` are among them.
  std::vector<std::string> space_delimited;
  /// Of one fetch of the keys.
  std::chrono::milliseconds timeout{5000};
  friend bool operator==(const TokenRule&, const TokenRule&) = default;
};

using TokenRulePtr = std::shared_ptr<const TokenRule>;

struct RequestAuthentication {
  std::string ns;
  std::string name;
  std::vector<SecurityTarget> targets;
  /// None is null.
  std::vector<TokenRulePtr> rules;

  friend bool operator==(const RequestAuthentication& a, const RequestAuthentication& b) noexcept;
};

using RequestAuthenticationPtr = std::shared_ptr<const RequestAuthentication>;

}  // namespace aquifer::l7
