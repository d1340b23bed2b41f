#include "common/base/address.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>

using namespace std::string_view_literals;

namespace aquifer {
namespace {

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

static_assert(!std::is_convertible_v<OriginalDst, PeerAddr> &&
                  !std::is_convertible_v<SocketAddress, OriginalDst> &&
                  !std::is_convertible_v<OriginalDst, SocketAddress>,
              "an address in one role is never taken for another");

TEST_CASE("addresses are read and written in their usual text") {
  for (const auto text : {"0.0.0.0"sv, "10.1.2.3"sv, "255.255.255.255"sv, "::"sv, "::1"sv,
                          "fd00:1:2::3"sv, "2001:db8::ff00:42:8329"sv}) {
    CAPTURE(text);
    CHECK(ip(text).to_string() == text);
  }
}

TEST_CASE("what is not exactly an address is refused") {
  for (const auto text :
       {""sv, "10.0.0"sv, "10.0.0.256"sv, "10.0.0.1 "sv, " 10.0.0.1"sv, "1.2.3.4.5"sv, "[::1]"sv,
        "fe80::1%eth0"sv, "::1::"sv, "localhost"sv, "10.0.0.1\0"sv, "10.0.0.1\0.9"sv, "::1\0x"sv,
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"sv}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text).has_value());
  }
}

TEST_CASE("an IPv4-mapped IPv6 address is the IPv4 address, so that equal means equal") {
  CHECK(ip("::ffff:10.0.0.1") == ip("10.0.0.1"));
  CHECK(ip("::ffff:10.0.0.1").is_v4());
  CHECK(ip("::ffff:10.0.0.1").hash() == ip("10.0.0.1").hash());
  CHECK(ip("::10.0.0.1") != ip("10.0.0.1"));
  CHECK(IpAddress::any_v4() != IpAddress::any_v6());
}

TEST_CASE("loopback and unspecified are known in both families") {
  CHECK(ip("127.0.0.1").is_loopback());
  CHECK(ip("127.255.0.9").is_loopback());
  CHECK(ip("::1").is_loopback());
  CHECK_FALSE(ip("128.0.0.1").is_loopback());
  CHECK_FALSE(ip("::2").is_loopback());
  CHECK(ip("0.0.0.0").is_unspecified());
  CHECK(ip("::").is_unspecified());
  CHECK_FALSE(ip("0.0.0.1").is_unspecified());
}

TEST_CASE("a network clears its host bits and holds exactly the addresses with its prefix") {
  const Cidr net = Cidr::parse("10.1.2.3/20").value();
  CHECK(net.to_string() == "10.1.0.0/20");
  CHECK(net.contains(ip("10.1.15.255")));
  CHECK_FALSE(net.contains(ip("10.1.16.0")));
  CHECK_FALSE(net.contains(ip("fd00::1")));
  CHECK(Cidr::parse("fd00:ff::/9").value().contains(ip("fd7f::1")));
  CHECK_FALSE(Cidr::parse("fd00::/9").value().contains(ip("fd80::1")));
  CHECK(Cidr::parse("0.0.0.0/0").value().contains(ip("203.0.113.9")));
  CHECK(Cidr::parse("10.0.0.1").value().prefix_bits() == 32);
  CHECK(Cidr::parse("::1").value().prefix_bits() == 128);
}

TEST_CASE("a mapped network is the IPv4 network that it maps") {
  CHECK(Cidr::parse("::ffff:10.0.0.0/104").value() == Cidr::parse("10.0.0.0/8").value());
  CHECK_FALSE(Cidr::parse("::ffff:10.0.0.0/95").has_value());
  CHECK_FALSE(Cidr::parse("::ffff:10.0.0.0/129").has_value());
}

TEST_CASE("a prefix that cannot be is refused") {
  for (const auto text :
       {"10.0.0.0/33"sv, "10.0.0.0/-1"sv, "10.0.0.0/+8"sv, "10.0.0.0/"sv, "10.0.0.0/8 "sv,
        "::/129"sv, "/8"sv, "10.0.0.0/8/8"sv, "10.0.0.0/4294967304"sv}) {
    CAPTURE(text);
    CHECK_FALSE(Cidr::parse(text).has_value());
  }
}

TEST_CASE("a network contains an address exactly when all bits of the prefix agree") {
  std::mt19937 random(4711);
  for (int round = 0; round < 2000; ++round) {
    std::array<std::uint8_t, 16> raw{};
    for (auto& byte : raw) byte = static_cast<std::uint8_t>(random());
    raw[0] = 0xfd;
    const auto bits = static_cast<std::uint8_t>(random() % 129);
    const Cidr net(IpAddress::v6(raw), bits);
    const auto flipped = random() % 128;
    auto other = raw;
    other[flipped / 8] ^= static_cast<std::uint8_t>(0x80U >> (flipped % 8));
    CHECK(net.contains(IpAddress::v6(raw)));
    CHECK(net.contains(IpAddress::v6(other)) == (flipped >= bits));
  }
}

TEST_CASE("a socket address is read with brackets for IPv6 and for nothing else") {
  CHECK(SocketAddress::parse("10.0.0.1:80").value().to_string() == "10.0.0.1:80");
  CHECK(SocketAddress::parse("[fd00::1]:15008").value().to_string() == "[fd00::1]:15008");
  CHECK(SocketAddress::parse("[::ffff:10.0.0.1]:1").value().to_string() == "10.0.0.1:1");
  for (const auto text : {"10.0.0.1"sv, "10.0.0.1:"sv, "10.0.0.1:65536"sv, "10.0.0.1:-1"sv,
                          "fd00::1:80"sv, "[10.0.0.1]:80"sv, "[]:80"sv, ":80"sv, "[fd00::1]"sv,
                          "[fd00::1]80"sv, "10.0.0.1:8 0"sv, "a:80"sv}) {
    CAPTURE(text);
    CHECK_FALSE(SocketAddress::parse(text).has_value());
  }
}

TEST_CASE("the kernel's form keeps address and port in both families and for dual-stack sockets") {
  for (const auto text : {"10.0.0.1:80"sv, "[fd00::1]:15008"sv}) {
    const SocketAddress address = SocketAddress::parse(text).value();
    CHECK(SockaddrStorage(address).to_address() == address);
    const SockaddrStorage wide(address, AF_INET6);
    CHECK(wide.storage.ss_family == AF_INET6);
    CHECK(wide.to_address() == address);
  }
  SockaddrStorage unix_socket;
  unix_socket.storage.ss_family = AF_UNIX;
  CHECK_FALSE(unix_socket.to_address().has_value());
}

TEST_CASE("neighbouring addresses have different hashes") {
  std::unordered_set<std::size_t> seen;
  for (unsigned i = 0; i < 4096; ++i) {
    const auto high = static_cast<std::uint8_t>(i >> 8U);
    const auto address = IpAddress::v4({10, 0, high, static_cast<std::uint8_t>(i)});
    seen.insert(SocketAddress{address, 80}.hash());
    seen.insert(SocketAddress{address, 81}.hash());
  }
  CHECK(seen.size() == 2 * 4096);
}

}  // namespace
}  // namespace aquifer
