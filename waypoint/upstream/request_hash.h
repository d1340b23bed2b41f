// What a request is hashed by, for ring hash and maglev. Pure: the same request has the same hash
// in every replica of a waypoint and after every restart.
#pragma once

#include "config/model/l7/cluster.h"
#include "config/model/l7/request_view.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace aquifer::waypoint {

struct RequestHash {
  /// None: nothing to hash by was there, so any endpoint will do.
  std::optional<std::uint64_t> hash;
  /// A Set-Cookie field's value for the answer, so that the client's later requests go where this
  /// one went; empty: none.
  std::string set_cookie;
};

/// By the first of `sources` that the request has. A cookie with a life is made for a client that
/// has none, from `random`.
[[nodiscard]] RequestHash hash_of(std::span<const l7::HashSource> sources,
                                  const l7::RequestView& request, std::uint64_t random);

}  // namespace aquifer::waypoint
