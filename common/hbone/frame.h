// HTTP/2 frames as values (RFC 9113 section 4): the 9-byte header, the numbers of the protocol,
// SETTINGS. Pure functions and plain values; no state, any thread.
#pragma once

#include "common/base/assert.h"
#include "common/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace aquifer::hbone {

/// Length of a frame header. io::Buffer keeps more headroom than this, so a header never costs a
/// copy.
inline constexpr std::size_t kFrameHeaderBytes = 9;
/// Every client connection starts with this (RFC 9113 section 3.4).
inline constexpr std::string_view kClientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr std::uint32_t kStreamIdMax = 0x7fffffff;
/// A flow-control window may not pass this (RFC 9113 section 6.9.1).
inline constexpr std::int64_t kWindowMax = 0x7fffffff;
/// Both windows before any SETTINGS or WINDOW_UPDATE (RFC 9113 section 6.9.2).
inline constexpr std::uint32_t kDefaultWindow = 65535;
inline constexpr std::uint32_t kDefaultMaxFrameSize = 16384;
inline constexpr std::uint32_t kMaxFrameSizeLimit = 16777215;
inline constexpr std::uint32_t kDefaultHeaderTableSize = 4096;

/// Anything above `priority_update` that we do not know is ignored (RFC 9113 section 5.5).
enum class FrameType : std::uint8_t {
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  push_promise = 5,
  ping = 6,
  goaway = 7,
  window_update = 8,
  continuation = 9,
};

namespace flag {
inline constexpr std::uint8_t kEndStream = 0x1;   // DATA, HEADERS
inline constexpr std::uint8_t kAck = 0x1;         // SETTINGS, PING
inline constexpr std::uint8_t kEndHeaders = 0x4;  // HEADERS, CONTINUATION
inline constexpr std::uint8_t kPadded = 0x8;      // DATA, HEADERS
inline constexpr std::uint8_t kPriority = 0x20;   // HEADERS
}  // namespace flag

/// RFC 9113 section 7. A peer may send other numbers; they are kept as they are.
enum class ErrorCode : std::uint32_t {
  no_error = 0x0,
  protocol_error = 0x1,
  internal_error = 0x2,
  flow_control_error = 0x3,
  settings_timeout = 0x4,
  stream_closed = 0x5,
  frame_size_error = 0x6,
  refused_stream = 0x7,
  cancel = 0x8,
  compression_error = 0x9,
  connect_error = 0xa,
  enhance_your_calm = 0xb,
  inadequate_security = 0xc,
  http_1_1_required = 0xd,
};
/// "PROTOCOL_ERROR"; "UNKNOWN" for numbers of no name.
[[nodiscard]] std::string_view name_of(ErrorCode code) noexcept;

struct FrameHeader {
  std::uint32_t length = 0;  ///< 24 bits
  FrameType type{};
  std::uint8_t flags = 0;
  std::uint32_t stream_id = 0;  ///< 31 bits, the reserved bit is dropped

  [[nodiscard]] constexpr bool has(std::uint8_t bit) const noexcept { return (flags & bit) != 0; }
  friend bool operator==(const FrameHeader&, const FrameHeader&) noexcept = default;
};

/// Big-endian loads and stores of RFC 9113. The caller has checked the length.
[[nodiscard]] constexpr std::uint16_t load16(const std::uint8_t* at) noexcept {
  return static_cast<std::uint16_t>((at[0] << 8) | at[1]);
}
[[nodiscard]] constexpr std::uint32_t load32(const std::uint8_t* at) noexcept {
  return (std::uint32_t{at[0]} << 24) | (std::uint32_t{at[1]} << 16) | (std::uint32_t{at[2]} << 8) |
         at[3];
}
[[nodiscard]] constexpr std::uint64_t load64(const std::uint8_t* at) noexcept {
  return (std::uint64_t{load32(at)} << 32) | load32(at + 4);
}
constexpr void store16(std::uint8_t* at, std::uint16_t value) noexcept {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}
constexpr void store32(std::uint8_t* at, std::uint32_t value) noexcept {
  store16(at, static_cast<std::uint16_t>(value >> 16));
  store16(at + 2, static_cast<std::uint16_t>(value));
}
constexpr void store64(std::uint8_t* at, std::uint64_t value) noexcept {
  store32(at, static_cast<std::uint32_t>(value >> 32));
  store32(at + 4, static_cast<std::uint32_t>(value));
}

/// Reads the 9 bytes at `at`.
[[nodiscard]] constexpr FrameHeader decode_frame_header(const std::uint8_t* at) noexcept {
  FrameHeader header;
  header.length = (std::uint32_t{at[0]} << 16) | (std::uint32_t{at[1]} << 8) | at[2];
  header.type = static_cast<FrameType>(at[3]);
  header.flags = at[4];
  header.stream_id = load32(at + 5) & kStreamIdMax;
  return header;
}

/// Writes 9 bytes at `at`.
constexpr void encode_frame_header(std::uint8_t* at, const FrameHeader& header) noexcept {
  at[0] = static_cast<std::uint8_t>(header.length >> 16);
  at[1] = static_cast<std::uint8_t>(header.length >> 8);
  at[2] = static_cast<std::uint8_t>(header.length);
  at[3] = static_cast<std::uint8_t>(header.type);
  at[4] = header.flags;
  store32(at + 5, header.stream_id & kStreamIdMax);
}

/// RFC 9113 section 6.5.2. Identifiers we do not know are ignored.
enum class SettingId : std::uint16_t {
  header_table_size = 1,
  enable_push = 2,
  max_concurrent_streams = 3,
  initial_window_size = 4,
  max_frame_size = 5,
  max_header_list_size = 6,
  enable_connect_protocol = 8,  // RFC 8441: never sent by us, its value is checked
};

/// What one side has announced; the members' values are what holds before any SETTINGS frame.
struct Settings {
  static constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t header_table_size = kDefaultHeaderTableSize;
  std::uint32_t enable_push = 1;
  std::uint32_t max_concurrent_streams = kUnlimited;
  std::uint32_t initial_window_size = kDefaultWindow;
  std::uint32_t max_frame_size = kDefaultMaxFrameSize;
  std::uint32_t max_header_list_size = kUnlimited;
  friend bool operator==(const Settings&, const Settings&) noexcept = default;
};

/// Takes one setting over. Anything but no_error is the connection error it must cause (RFC 9113
/// section 6.5.2).
[[nodiscard]] ErrorCode apply_setting(Settings& settings, std::uint16_t id,
                                      std::uint32_t value) noexcept;

/// The largest SETTINGS payload encode_settings() writes.
inline constexpr std::size_t kSettingsBytesMax = 6 * 6;
/// Writes the settings that differ from the initial ones, in the order of their numbers; returns
/// the bytes written.
[[nodiscard]] std::size_t encode_settings(const Settings& settings, std::uint8_t* at) noexcept;

}  // namespace aquifer::hbone
