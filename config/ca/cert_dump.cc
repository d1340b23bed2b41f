#include "config/ca/cert_dump.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace aquifer::ca {
namespace {

std::string base64(std::string_view text) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string encoded;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, text.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<std::uint8_t>(text[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k)
      encoded += k <= count ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
  }
  return encoded;
}

std::string rfc3339(tls::WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(tls::WallClock::to_time_t(time)));
}

nlohmann::json chain_json(const std::vector<tls::Certificate>& chain) {
  auto all = nlohmann::json::array();
  for (const auto& certificate : chain) {
    all.push_back({{"pem", base64(certificate.to_pem())},
                   {"serialNumber", certificate.serial()},
                   {"validFrom", rfc3339(certificate.not_before())},
                   {"expirationTime", rfc3339(certificate.not_after())}});
  }
  return all;
}

std::string state_text(const CertStatus& status) {
  switch (status.state) {
    case CertStatus::State::initializing: return "Initializing";
    case CertStatus::State::available: return "Available";
    case CertStatus::State::unavailable: break;
  }
  return "Unavailable: " + status.failure;
}

}  // namespace

nlohmann::json certificates_json(const std::vector<CertStatus>& statuses) {
  auto all = nlohmann::json::array();
  for (const CertStatus& status : statuses) {
    all.push_back({{"identity", status.identity.to_string()},
                   {"state", state_text(status)},
                   {"certChain", chain_json(status.chain)},
                   {"rootCerts", chain_json(status.roots)}});
  }
  return all;
}

}  // namespace aquifer::ca
