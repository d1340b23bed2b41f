// A netlink socket inside one namespace: one request at a time, its answers in order. Only what
// policy_routing and rules_stamp need. Blocking, but the kernel answers within the call; control
// thread only.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/io/netns.h"

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

namespace aquifer::ztunnel {

/// One message under construction: header, the protocol's fixed part, attributes.
class NetlinkRequest {
 public:
  NetlinkRequest(std::uint16_t type, std::uint16_t flags);

  template <typename Fixed>
  NetlinkRequest& body(const Fixed& fixed) {
    append(&fixed, sizeof(fixed));
    return *this;
  }
  NetlinkRequest& attribute(std::uint16_t type, std::uint32_t value);

  /// With the sequence number set and the length final.
  [[nodiscard]] std::span<const std::byte> finish(std::uint32_t sequence);

 private:
  void append(const void* data, std::size_t size);

  std::vector<std::byte> bytes_;
};

/// One answer: its type and what follows the header.
struct NetlinkMessage {
  std::uint16_t type;
  std::span<const std::byte> payload;

  /// The fixed part, or a zero one when the message is too short for it.
  template <typename Fixed>
  [[nodiscard]] Fixed body() const {
    Fixed fixed{};
    if (payload.size() >= sizeof(fixed)) std::memcpy(&fixed, payload.data(), sizeof(fixed));
    return fixed;
  }
  /// A 32-bit attribute after a fixed part of `body_bytes`, or `otherwise` when there is none.
  [[nodiscard]] std::uint32_t attribute(std::size_t body_bytes, std::uint16_t attribute_type,
                                        std::uint32_t otherwise) const;
};

class NetlinkSocket {
 public:
  /// `protocol`: NETLINK_ROUTE, NETLINK_NETFILTER.
  [[nodiscard]] static Result<NetlinkSocket> open(const io::NetworkNamespace& where, int protocol);

  /// Sends the request and reads until the kernel has acknowledged it or ended its dump. The
  /// kernel's refusal is an Error with its errno in `detail`.
  [[nodiscard]] Status ask(NetlinkRequest request,
                           const std::function<void(const NetlinkMessage&)>& on_message = {});

 private:
  explicit NetlinkSocket(Fd fd) noexcept : fd_(std::move(fd)) {}

  Fd fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace aquifer::ztunnel
