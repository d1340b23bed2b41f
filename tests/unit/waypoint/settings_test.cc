#include "waypoint/settings.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace aquifer;

auto read(std::string_view name, std::string_view value) {
  return waypoint::settings_from([=](std::string_view asked) -> std::optional<std::string> {
    if (asked != name) return std::nullopt;
    return std::string(value);
  });
}

TEST_CASE("COMPLIANCE_POLICY=pqc is honoured where OpenSSL can, and refused at start where not") {
  const auto settings = read("COMPLIANCE_POLICY", "pqc");
  if (tls::can_exchange_keys(tls::KeyExchange::hybrid_only)) {
    REQUIRE(settings.has_value());
    CHECK(settings->key_exchange == tls::KeyExchange::hybrid_only);
  } else {
    REQUIRE(!settings.has_value());
    CHECK(settings.error().starts_with("COMPLIANCE_POLICY=pqc: OpenSSL "));
  }
}

TEST_CASE("a variable that cannot be meant is refused with what to write instead") {
  const auto policy = read("COMPLIANCE_POLICY", "fips-140-2");
  REQUIRE(!policy.has_value());
  CHECK(policy.error() == "COMPLIANCE_POLICY=fips-140-2: write pqc, or unset it");
  CHECK(!read("AQUIFER_IO", "kqueue").has_value());
}

}  // namespace
