// OwnAnswer: what the proxy itself says to a query, and its bytes.
#pragma once

#include "common/base/address.h"
#include "ztunnel/dns/query.h"

#include <cstdint>
#include <string>
#include <vector>

namespace aquifer::ztunnel::dns {

/// Seconds, as the peer's: short enough for endpoints that come and go, long enough for caches to
/// help.
inline constexpr std::uint32_t kOwnTtlSeconds = 30;

struct OwnAnswer {
  Rcode rcode = Rcode::no_error;
  /// Canonical; not empty: the asked name is an alias of this one, and the addresses are its.
  std::string alias_of;
  /// The alias leads out of the mesh (an ExternalName service): its addresses have yet to be asked
  /// for.
  bool leads_outside = false;
  /// All of the asked family.
  std::vector<IpAddress> addresses;
  /// The full name that the asked one is short for.
  std::string host;
  /// What the answer was made from, for the log: NAMESPACE/HOSTNAME.
  std::string service;
};

/// The whole response to `query`, whose bytes are `asked`. Addresses and alias answer a question:
/// without one there are none. Nothing longer than `bytes_max` (at
/// least 512): addresses that do not fit are left out and TC is set, so that the client asks by
/// TCP.
[[nodiscard]] Message encode_answer(ByteView asked, const Query& query, const OwnAnswer& answer,
                                    std::size_t bytes_max);

/// A response that only says what went wrong. `asked` has at least a header; its question is
/// repeated if it can be read.
[[nodiscard]] Message encode_failure(ByteView asked, Rcode rcode);

}  // namespace aquifer::ztunnel::dns
