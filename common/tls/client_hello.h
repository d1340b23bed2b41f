// The server name in a TLS ClientHello, found in the first bytes of a connection. Pure: bytes in,
// answer out; no state, any thread. RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3.
#pragma once

#include "common/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace aquifer::tls {

/// A ClientHello longer than one record's worth is nobody's: post-quantum key shares make it 2 KiB.
inline constexpr std::size_t kClientHelloBytesMax = 16 * 1024;
/// Records that it may be cut into. Clients use one, tools against censors a handful; without a
/// bound a client could make us assemble the same bytes again and again.
inline constexpr std::size_t kHelloRecordsMax = 64;
/// The same cut into records, with their headers. Past it an answer is given whatever is missing.
inline constexpr std::size_t kSniffedBytesMax = kClientHelloBytesMax + 4 * 1024;

struct ClientHelloAnswer {
  enum class Kind : std::uint8_t {
    need_more,  ///< so far it may be one
    name,
    no_name,  ///< a ClientHello without a server name, or one that hides it (ECH)
    not_tls,  ///< nothing that any TLS server would take for a ClientHello
    /// A ClientHello, maybe, but longer or in more pieces than is looked at: its name is not known.
    too_long,
  };
  Kind kind = Kind::need_more;
  /// Lower case, without a final dot; empty unless kind is name.
  std::string name;
  /// With fewer bytes from the connection's start than this there will be no answer; 0 unless more
  /// is needed.
  std::size_t bytes_needed = 0;
};

/// `bytes` are all that came so far, from the connection's first.
[[nodiscard]] ClientHelloAnswer look_for_server_name(ByteView bytes);

}  // namespace aquifer::tls
