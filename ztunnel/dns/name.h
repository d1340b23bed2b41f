// Domain names between the wire and text (RFC 1035 section 4.1.4). Names are compared as text, so
// text is canonical: lower case, no dot at the end. Pure.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::ztunnel::dns {

/// RFC 1035 section 2.3.4, in bytes on the wire: lengths and the root's zero included.
inline constexpr std::size_t kNameBytesMax = 255;
inline constexpr std::size_t kLabelBytesMax = 63;

struct ReadName {
  /// ASCII lower case, labels joined by dots, none at the end; empty for the root. What is no
  /// hostname's character is escaped as in RFC 1035 section 5.1 (a dot inside a label is `\.`), so
  /// it never equals a hostname.
  std::string text;
  /// Where the message goes on behind the name.
  std::size_t end = 0;
};

/// Reads the name at `at`. A pointer must lead backwards, to before where the name has been so far:
/// so there are no loops, and every name is read in bounded time.
[[nodiscard]] Result<ReadName> read_name(ByteView message, std::size_t at);

/// The same without pointers, for the question of a query: nothing stands before it to point to.
[[nodiscard]] Result<ReadName> read_plain_name(ByteView message, std::size_t at);

/// Where the message goes on behind the name at `at`, without following pointers.
[[nodiscard]] Result<std::size_t> skip_name(ByteView message, std::size_t at);

/// Appends the name as it is on the wire, uncompressed. False, with nothing appended, when a label
/// or the whole is too long, a label is empty, or an escape is broken.
[[nodiscard]] bool append_name(std::vector<std::uint8_t>& out, std::string_view text);

/// A name that people or manifests wrote, in the canonical form.
[[nodiscard]] std::string canonical_name(std::string_view written);

/// `name` without `domain` and the dot before it; empty when it does not end so, or is it.
[[nodiscard]] std::string_view strip_domain(std::string_view name,
                                            std::string_view domain) noexcept;

[[nodiscard]] constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace aquifer::ztunnel::dns
