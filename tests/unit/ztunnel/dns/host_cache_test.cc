// Addresses kept for as long as they may be.
#include "ztunnel/dns/host_cache.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::ztunnel::dns {
namespace {

const MonoTime kStart{};
const std::vector<IpAddress> kOne{IpAddress::v4({192, 0, 2, 1})};

MonoTime at(int seconds) {
  return kStart + std::chrono::seconds(seconds);
}

TEST_CASE("an entry is there until its time, and not a moment longer") {
  HostCache cache;
  cache.put("a", kOne, at(30));
  REQUIRE(cache.find("a", at(29)) != nullptr);
  CHECK(*cache.find("a", at(29)) == kOne);
  CHECK(cache.find("b", at(0)) == nullptr);
  CHECK(cache.find("a", at(30)) == nullptr);
  CHECK(cache.size() == 0);
}

TEST_CASE("a name that is put again has its newest addresses and time") {
  HostCache cache;
  cache.put("a", kOne, at(10));
  cache.put("a", {}, at(20));
  REQUIRE(cache.find("a", at(15)) != nullptr);
  CHECK(cache.find("a", at(15))->empty());
  CHECK(cache.size() == 1);
}

TEST_CASE("a full cache gives up what was not asked for the longest") {
  HostCache cache(3);
  for (const char* key : {"a", "b", "c"}) cache.put(key, kOne, at(100));
  CHECK(cache.find("a", at(1)) != nullptr);
  cache.put("d", kOne, at(100));
  CHECK(cache.size() == 3);
  CHECK(cache.find("b", at(1)) == nullptr);
  CHECK(cache.find("a", at(1)) != nullptr);
  CHECK(cache.find("d", at(1)) != nullptr);
}

TEST_CASE("any number of names takes no more than its limit") {
  HostCache cache;
  for (int i = 0; i < 10'000; ++i) cache.put(std::to_string(i), kOne, at(100));
  CHECK(cache.size() == HostCache::kEntriesMax);
}

}  // namespace
}  // namespace aquifer::ztunnel::dns
