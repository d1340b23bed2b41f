// What the proxy looks at in a response of an upstream server before it hands the bytes on
// unchanged: is it the answer to what was asked, and which addresses does it name. Pure.
#pragma once

#include "common/base/address.h"
#include "ztunnel/dns/message.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::ztunnel::dns {

/// True exactly when `response` answers `query`: the same id (the query's bytes carry the one that
/// was sent), a response, the same question (letters may change case). Anything else comes from
/// somebody who did not see the query.
[[nodiscard]] bool answers_query(ByteView response, ByteView query) noexcept;

[[nodiscard]] Rcode rcode_of(ByteView response) noexcept;
[[nodiscard]] bool is_truncated(ByteView response) noexcept;

/// One address or alias of an answer section.
struct AddressRecord {
  std::string owner;  ///< canonical
  RecordType type = RecordType::a;
  std::uint32_t ttl_seconds = 0;
  IpAddress address;  ///< of a, aaaa
  std::string alias;  ///< of cname, canonical
};

/// More are not looked at: no sane answer has them, and each costs memory.
inline constexpr std::size_t kAddressRecordsMax = 256;

/// A, AAAA and CNAME records of the answer section in their order; stops at what cannot be read.
[[nodiscard]] std::vector<AddressRecord> address_records(ByteView response);

/// What a response says about the name that was asked.
struct ResolvedAddresses {
  std::vector<IpAddress> addresses;
  /// The least on the way; of an empty answer the SOA's (RFC 2308 section 5), 0 without one.
  std::uint32_t ttl_seconds = 0;
};

/// Follows aliases from the question's name to addresses. Empty when there are none.
[[nodiscard]] ResolvedAddresses resolved_addresses(ByteView response);

}  // namespace aquifer::ztunnel::dns
