#include "common/tls/traffic_secrets.h"

#include "common/base/assert.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

namespace aquifer::tls {
namespace {

int secrets_index() noexcept {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  AQUIFER_ASSERT(index >= 0);
  return index;
}

int nibble(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// OpenSSL wrote the line, so a malformed one is a change of its format: no secret, and finish()
// says so.
Secret secret_from_hex(std::string_view hex) noexcept {
  std::array<std::uint8_t, Secret::kBytesMax> bytes{};
  const std::size_t size = hex.size() / 2;
  if (hex.size() % 2 != 0 || size > bytes.size()) return {};
  for (std::size_t i = 0; i < size; ++i) {
    const int high = nibble(hex[2 * i]);
    const int low = nibble(hex[2 * i + 1]);
    if (high < 0 || low < 0) return {};
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  Secret secret(ByteView(bytes).first(size));
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return secret;
}

}  // namespace

void record_secret(const SSL* ssl, const char* line) noexcept {
  auto* secrets = static_cast<TrafficSecrets*>(SSL_get_ex_data(ssl, secrets_index()));
  if (secrets == nullptr) return;
  // LABEL CLIENT_RANDOM SECRET
  const std::string_view text = line;
  const std::size_t label_end = text.find(' ');
  const std::size_t secret_begin = text.rfind(' ');
  if (label_end == std::string_view::npos || secret_begin == label_end) return;
  const std::string_view label = text.substr(0, label_end);
  const std::string_view hex = text.substr(secret_begin + 1);
  if (label == "CLIENT_TRAFFIC_SECRET_0") secrets->client = secret_from_hex(hex);
  if (label == "SERVER_TRAFFIC_SECRET_0") secrets->server = secret_from_hex(hex);
}

void collect_secrets(SSL* ssl, TrafficSecrets& secrets) noexcept {
  SSL_set_ex_data(ssl, secrets_index(), &secrets);
}

}  // namespace aquifer::tls
