// IP addresses and socket addresses as values, and the roles they play as types of their own, so
// that the address a client wanted can never be handed to a function that needs the address it came
// from.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aquifer {

/// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses are always stored as IPv4, so that equal
/// means equal.
class IpAddress {
 public:
  /// 0.0.0.0
  constexpr IpAddress() noexcept = default;
  [[nodiscard]] static IpAddress v4(std::array<std::uint8_t, 4> bytes) noexcept;
  [[nodiscard]] static IpAddress v6(std::array<std::uint8_t, 16> bytes) noexcept;
  [[nodiscard]] static IpAddress any_v4() noexcept { return {}; }
  [[nodiscard]] static IpAddress any_v6() noexcept;
  [[nodiscard]] static IpAddress loopback_v4() noexcept;
  [[nodiscard]] static IpAddress loopback_v6() noexcept;
  /// Text as in RFC 4291 section 2.2 or dotted quad; no brackets, no zone, no port.
  [[nodiscard]] static Result<IpAddress> parse(std::string_view text);

  [[nodiscard]] constexpr bool is_v4() const noexcept { return v4_; }
  [[nodiscard]] constexpr bool is_v6() const noexcept { return !v4_; }
  [[nodiscard]] bool is_loopback() const noexcept;
  [[nodiscard]] bool is_unspecified() const noexcept;
  /// 4 or 16 bytes in network order.
  [[nodiscard]] ByteView bytes() const noexcept;
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] std::size_t hash() const noexcept;

  friend auto operator<=>(const IpAddress&, const IpAddress&) noexcept = default;

 private:
  // IPv4 in the first four bytes, the rest zero.
  std::array<std::uint8_t, 16> bytes_{};
  bool v4_ = true;
};

/// An IP network: address and prefix length, host bits cleared.
class Cidr {
 public:
  Cidr() noexcept = default;
  Cidr(IpAddress address, std::uint8_t prefix_bits) noexcept;
  /// "10.0.0.0/8", or a lone address for a full-length prefix.
  [[nodiscard]] static Result<Cidr> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& address) const noexcept;
  [[nodiscard]] const IpAddress& address() const noexcept { return address_; }
  [[nodiscard]] std::uint8_t prefix_bits() const noexcept { return prefix_bits_; }
  [[nodiscard]] std::string to_string() const;
  friend auto operator<=>(const Cidr&, const Cidr&) noexcept = default;

 private:
  IpAddress address_;
  std::uint8_t prefix_bits_ = 0;
};

/// An IP address and a port.
struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  /// "10.0.0.1:80" or "[fd00::1]:80".
  [[nodiscard]] static Result<SocketAddress> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] std::size_t hash() const noexcept;
  friend auto operator<=>(const SocketAddress&, const SocketAddress&) noexcept = default;
};

/// The kernel's form. `family` AF_INET6 turns an IPv4 address into a mapped one, for dual-stack
/// sockets.
struct SockaddrStorage {
  sockaddr_storage storage{};
  socklen_t length = 0;

  SockaddrStorage() noexcept = default;
  explicit SockaddrStorage(const SocketAddress& address) noexcept;
  SockaddrStorage(const SocketAddress& address, int family) noexcept;
  [[nodiscard]] const sockaddr* get() const noexcept {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  /// Empty when the family is neither AF_INET nor AF_INET6.
  [[nodiscard]] std::optional<SocketAddress> to_address() const noexcept;
};

/// A SocketAddress in one role. Roles convert to the plain address only by name (`.addr`).
template <typename Role>
struct RoleAddress {
  SocketAddress addr;
  constexpr RoleAddress() noexcept = default;
  constexpr explicit RoleAddress(const SocketAddress& a) noexcept : addr(a) {}
  friend auto operator<=>(const RoleAddress&, const RoleAddress&) noexcept = default;
};

/// Where the application wanted to connect to, before the redirection (SO_ORIGINAL_DST).
using OriginalDst = RoleAddress<struct OriginalDstRole>;
/// The other end of an accepted connection.
using PeerAddr = RoleAddress<struct PeerAddrRole>;
/// Our end of an accepted connection.
using LocalAddr = RoleAddress<struct LocalAddrRole>;
/// What a tunnel's CONNECT names (`:authority`), as an address.
using HboneTarget = RoleAddress<struct HboneTargetRole>;
/// Where a tunnel's TCP connection goes: pod address and tunnel port.
using TunnelAddr = RoleAddress<struct TunnelAddrRole>;

}  // namespace aquifer

template <>
struct std::hash<aquifer::IpAddress> {
  std::size_t operator()(const aquifer::IpAddress& ip) const noexcept { return ip.hash(); }
};
template <>
struct std::hash<aquifer::SocketAddress> {
  std::size_t operator()(const aquifer::SocketAddress& address) const noexcept {
    return address.hash();
  }
};
