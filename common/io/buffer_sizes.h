// Sizes of the receive buffers of a loop, the same for both backends.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aquifer::io {

// Requests and answers of most protocols fit; 256 of them are 2 MiB at the very most, and an idle
// pool holds no page.
inline constexpr std::size_t kSmallBufferBytes = 8 * 1024;
inline constexpr std::uint32_t kSmallBufferCount = 256;
// Bulk: 8 full TLS records less the frame header (9) that goes in front. From 16 KiB to 128 KiB the
// proxies' CPU per byte falls by a third, beyond it hardly at all.
inline constexpr std::size_t kLargeBufferBytes = 8 * 16384 - 9;
inline constexpr std::uint32_t kLargeBufferCount = 16;

}  // namespace aquifer::io
