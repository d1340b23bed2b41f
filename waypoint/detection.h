// What a connection speaks, by its first bytes. Pure.
#pragma once

#include "common/base/bytes.h"

#include <cstdint>

namespace aquifer::waypoint {

enum class Spoken : std::uint8_t {
  need_more,
  http1,
  http2,  ///< the preface of RFC 9113 section 3.4
  tls,    ///< a handshake record
  other,
};

/// Looks at what has come so far; never needs more than kDetectionBytesMax.
[[nodiscard]] Spoken what_is_spoken(ByteView first) noexcept;

/// An HTTP/1.1 request line begins with a method, which together with a scheme is longer than this
/// in nobody's protocol.
inline constexpr std::size_t kDetectionBytesMax = 48;

}  // namespace aquifer::waypoint
