#include "common/base/address.h"

#include <fmt/format.h>

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace aquifer {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
// The longest text form of an address (INET6_ADDRSTRLEN) less its zero.
constexpr std::size_t kAddressTextMax = INET6_ADDRSTRLEN - 1;

template <typename Number>
Result<Number> parse_number(std::string_view text, unsigned maximum) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value > maximum) {
    return fail(Errc::invalid, "not a number in range");
  }
  return static_cast<Number>(value);
}

std::size_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  // Two rounds of multiply and fold: enough to spread addresses that differ in one byte.
  auto folded =
      static_cast<unsigned __int128>(a ^ 0x9e3779b97f4a7c15ULL) * (b ^ 0xd6e8feb86659fd93ULL);
  return static_cast<std::size_t>(folded) ^ static_cast<std::size_t>(folded >> 64U);
}

}  // namespace

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> bytes) noexcept {
  IpAddress result;
  std::copy(bytes.begin(), bytes.end(), result.bytes_.begin());
  return result;
}

IpAddress IpAddress::v6(std::array<std::uint8_t, 16> bytes) noexcept {
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin())) {
    return v4({bytes[12], bytes[13], bytes[14], bytes[15]});
  }
  IpAddress result;
  result.bytes_ = bytes;
  result.v4_ = false;
  return result;
}

IpAddress IpAddress::any_v6() noexcept {
  return v6({});
}
IpAddress IpAddress::loopback_v4() noexcept {
  return v4({127, 0, 0, 1});
}
IpAddress IpAddress::loopback_v6() noexcept {
  return v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  // A zero inside would end the text for inet_pton, and hide what follows.
  const bool plausible =
      !text.empty() && text.size() <= kAddressTextMax && text.find('\0') == std::string_view::npos;
  if (!plausible) return fail(Errc::invalid, "not an IP address");
  std::array<char, kAddressTextMax + 1> copy{};
  std::copy(text.begin(), text.end(), copy.begin());
  std::array<std::uint8_t, 16> raw{};
  if (::inet_pton(AF_INET, copy.data(), raw.data()) == 1)
    return v4({raw[0], raw[1], raw[2], raw[3]});
  if (::inet_pton(AF_INET6, copy.data(), raw.data()) == 1) return v6(raw);
  return fail(Errc::invalid, "not an IP address");
}

bool IpAddress::is_loopback() const noexcept {
  return v4_ ? bytes_[0] == 127 : *this == loopback_v6();
}

bool IpAddress::is_unspecified() const noexcept {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

ByteView IpAddress::bytes() const noexcept {
  return {bytes_.data(), v4_ ? 4U : 16U};
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
  return text.data();
}

std::size_t IpAddress::hash() const noexcept {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::memcpy(&low, bytes_.data(), 8);
  std::memcpy(&high, bytes_.data() + 8, 8);
  return mix(low, high ^ (v4_ ? 4U : 6U));
}

Cidr::Cidr(IpAddress address, std::uint8_t prefix_bits) noexcept {
  const auto width = static_cast<std::uint8_t>(address.bytes().size() * 8);
  prefix_bits_ = std::min(prefix_bits, width);
  std::array<std::uint8_t, 16> masked{};
  const ByteView bytes = address.bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int bits = std::clamp(static_cast<int>(prefix_bits_) - static_cast<int>(i * 8), 0, 8);
    masked[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00U >> static_cast<unsigned>(bits)));
  }
  address_ = address.is_v4() ? IpAddress::v4({masked[0], masked[1], masked[2], masked[3]})
                             : IpAddress::v6(masked);
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  TRY(const IpAddress address, IpAddress::parse(host));
  const auto width = static_cast<unsigned>(address.bytes().size() * 8);
  if (slash == std::string_view::npos) return Cidr(address, static_cast<std::uint8_t>(width));
  // A mapped network counts its prefix in 128 bits, of which the first 96 are the mapping.
  const bool mapped = address.is_v4() && host.contains(':');
  const unsigned mapping = mapped ? 96 : 0;
  TRY(const auto bits, parse_number<std::uint8_t>(text.substr(slash + 1), width + mapping));
  if (bits < mapping) return fail(Errc::invalid, "a prefix wider than the IPv4-mapped range");
  return Cidr(address, static_cast<std::uint8_t>(bits - mapping));
}

bool Cidr::contains(const IpAddress& address) const noexcept {
  if (address.is_v4() != address_.is_v4()) return false;
  return Cidr(address, prefix_bits_).address_ == address_;
}

std::string Cidr::to_string() const {
  return fmt::format("{}/{}", address_.to_string(), prefix_bits_);
}

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(Errc::invalid, "not an address with a port");
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  // Brackets are for IPv6 literals only (RFC 3986 section 3.2.2).
  if (bracketed && !host.contains(':')) return fail(Errc::invalid, "not an IPv6 address");
  TRY(const IpAddress ip, IpAddress::parse(host));
  // An IPv6 address without brackets would make its last group a port: refuse the ambiguity.
  if (!bracketed && ip.is_v6())
    return fail(Errc::invalid, "an IPv6 address with a port needs brackets");
  TRY(const auto port, parse_number<std::uint16_t>(text.substr(colon + 1), 65535));
  return SocketAddress{ip, port};
}

std::string SocketAddress::to_string() const {
  return ip.is_v4() ? fmt::format("{}:{}", ip.to_string(), port)
                    : fmt::format("[{}]:{}", ip.to_string(), port);
}

std::size_t SocketAddress::hash() const noexcept {
  return mix(ip.hash(), port);
}

SockaddrStorage::SockaddrStorage(const SocketAddress& address) noexcept
    : SockaddrStorage(address, address.ip.is_v4() ? AF_INET : AF_INET6) {}

SockaddrStorage::SockaddrStorage(const SocketAddress& address, int family) noexcept {
  const ByteView bytes = address.ip.bytes();
  if (family == AF_INET && address.ip.is_v4()) {
    auto* in = reinterpret_cast<sockaddr_in*>(&storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(address.port);
    std::memcpy(&in->sin_addr, bytes.data(), bytes.size());
    length = sizeof(sockaddr_in);
    return;
  }
  auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons(address.port);
  auto* target = reinterpret_cast<std::uint8_t*>(&in6->sin6_addr);
  if (address.ip.is_v4()) {
    std::memcpy(target, kMappedPrefix.data(), kMappedPrefix.size());
    target += kMappedPrefix.size();
  }
  std::memcpy(target, bytes.data(), bytes.size());
  length = sizeof(sockaddr_in6);
}

std::optional<SocketAddress> SockaddrStorage::to_address() const noexcept {
  if (storage.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&storage);
    std::array<std::uint8_t, 4> raw{};
    std::memcpy(raw.data(), &in->sin_addr, raw.size());
    return SocketAddress{IpAddress::v4(raw), ntohs(in->sin_port)};
  }
  if (storage.ss_family == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    std::array<std::uint8_t, 16> raw{};
    std::memcpy(raw.data(), &in6->sin6_addr, raw.size());
    return SocketAddress{IpAddress::v6(raw), ntohs(in6->sin6_port)};
  }
  return std::nullopt;
}

}  // namespace aquifer
