// Where a request carries its tokens (RFC 6750), and what becomes of them there. Pure.
#pragma once

#include "common/http/message.h"
#include "config/model/l7/request_authentication.h"

#include <cstdint>
#include <string>
#include <vector>

namespace aquifer::waypoint {

struct FoundToken {
  enum class Place : std::uint8_t { header, param, cookie };
  Place place = Place::header;
  /// Of the header field, the parameter or the cookie.
  std::string name;
  std::string text;
};

/// Every token in a place that the rule names.
[[nodiscard]] std::vector<FoundToken> find_tokens(const l7::TokenRule& rule,
                                                  const http::RequestHead& head);

/// Takes it out of the request. As with Envoy, one in a cookie stays.
void remove_token(const FoundToken& token, http::RequestHead& head);

}  // namespace aquifer::waypoint
