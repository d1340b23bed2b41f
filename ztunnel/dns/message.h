// The DNS message on the wire (RFC 1035 section 4.1): the numbers that the codec's files share.
#pragma once

#include "common/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::ztunnel::dns {

using Message = std::vector<std::uint8_t>;

inline constexpr std::size_t kHeaderBytes = 12;
/// What TCP's two bytes of length can say (RFC 1035 section 4.2.2).
inline constexpr std::size_t kMessageBytesMax = 65535;
/// What every client takes by UDP (RFC 1035 section 4.2.1), and the least that EDNS may name.
inline constexpr std::size_t kPlainUdpBytes = 512;
/// A record less its name: type, class, TTL, length.
inline constexpr std::size_t kRecordFixedBytes = 10;

// The second word of the header.
inline constexpr std::uint16_t kFlagResponse = 0x8000;
inline constexpr std::uint16_t kMaskOpcode = 0x7800;
inline constexpr std::uint16_t kFlagAuthoritative = 0x0400;
inline constexpr std::uint16_t kFlagTruncated = 0x0200;
inline constexpr std::uint16_t kFlagRecursionDesired = 0x0100;
inline constexpr std::uint16_t kFlagRecursionAvailable = 0x0080;
inline constexpr std::uint16_t kFlagCheckingDisabled = 0x0010;
inline constexpr std::uint16_t kMaskRcode = 0x000f;

inline constexpr std::uint16_t kClassIn = 1;

/// Those that somebody here looks at; a message may hold any number.
enum class RecordType : std::uint16_t {
  a = 1,
  cname = 5,
  soa = 6,
  aaaa = 28,
  opt = 41,
  ixfr = 251,
  axfr = 252,
};

enum class Rcode : std::uint16_t {
  no_error = 0,
  form_err = 1,
  serv_fail = 2,
  nx_domain = 3,
  not_imp = 4,
  refused = 5,
  bad_vers = 16,  ///< its upper bits travel in the OPT record (RFC 6891 section 6.1.3)
};

/// "NOERROR", "SERVFAIL", ..., "RCODE23".
[[nodiscard]] std::string name_of(Rcode rcode);
/// Lower case: "a", "aaaa", "https"; "unknown" for those without a name here, so that a client
/// cannot make as many metric series as there are numbers.
[[nodiscard]] std::string_view name_of(RecordType type) noexcept;

/// The 16 bits at `at`; 0 when they are not there.
[[nodiscard]] constexpr std::uint16_t word_at(ByteView message, std::size_t at) noexcept {
  if (at + 2 > message.size()) return 0;
  return static_cast<std::uint16_t>((message[at] << 8U) | message[at + 1]);
}
[[nodiscard]] constexpr std::uint32_t long_at(ByteView message, std::size_t at) noexcept {
  return (static_cast<std::uint32_t>(word_at(message, at)) << 16U) | word_at(message, at + 2);
}
inline void append_word(Message& out, std::uint16_t word) {
  out.push_back(static_cast<std::uint8_t>(word >> 8U));
  out.push_back(static_cast<std::uint8_t>(word));
}
inline void append_long(Message& out, std::uint32_t number) {
  append_word(out, static_cast<std::uint16_t>(number >> 16U));
  append_word(out, static_cast<std::uint16_t>(number));
}
inline void put_word(Message& out, std::size_t at, std::uint16_t word) {
  out[at] = static_cast<std::uint8_t>(word >> 8U);
  out[at + 1] = static_cast<std::uint8_t>(word);
}

}  // namespace aquifer::ztunnel::dns
