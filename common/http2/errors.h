// Error codes of HTTP/2 (RFC 9113 section 7) as what a stream's user says and is told.
#pragma once

#include "common/base/result.h"
#include "common/http/stream.h"

#include <cstdint>

namespace aquifer::http2 {

[[nodiscard]] std::uint32_t code_of(http::Abort why) noexcept;

/// What the user of a stream is told when it ended with `code` before its messages did. Retryable
/// where the peer says that it never looked at it.
[[nodiscard]] Error error_of(std::uint32_t code, ErrorSource source) noexcept;

}  // namespace aquifer::http2
