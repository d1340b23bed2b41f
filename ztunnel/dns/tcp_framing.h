// Messages on a TCP connection: two bytes of length before each (RFC 1035 section 4.2.2, RFC 7766
// section 8). Pure.
#pragma once

#include "ztunnel/dns/message.h"

#include <cstddef>
#include <optional>

namespace aquifer::ztunnel::dns {

/// Asked of the kernel at once: a query or a common answer whole.
inline constexpr std::size_t kReadBytes = 4096;

/// `message` with its length before it, as one piece: receivers may fail when the two come apart.
[[nodiscard]] Message frame(ByteView message);

/// Puts messages together from pieces. Holds no memory between messages.
class FrameReader {
 public:
  void append(ByteView bytes);
  /// The next whole message, if it is there.
  [[nodiscard]] std::optional<Message> next();
  /// Part of a message has come, and the rest has not.
  [[nodiscard]] bool is_mid_message() const noexcept { return !bytes_.empty(); }
  [[nodiscard]] std::size_t bytes_held() const noexcept { return bytes_.size(); }

 private:
  Message bytes_;
};

}  // namespace aquifer::ztunnel::dns
