// The two traffic secrets of a finished handshake, which OpenSSL gives out by its key log callback.
// They are what our own record layer starts from. Wiped when dropped. For .cc files of common/tls
// only.
#pragma once

#include "common/base/bytes.h"
#include "common/tls/openssl.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace aquifer::tls {

/// As long as the suite's hash: 32 or 48 bytes.
class Secret {
 public:
  static constexpr std::size_t kBytesMax = 48;

  Secret() noexcept = default;
  explicit Secret(ByteView bytes) noexcept;
  Secret(const Secret&) noexcept = default;
  Secret& operator=(const Secret&) noexcept = default;
  ~Secret() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  [[nodiscard]] ByteView view() const noexcept { return {bytes_.data(), size_}; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

 private:
  std::array<std::uint8_t, kBytesMax> bytes_{};
  std::size_t size_ = 0;
};

/// CLIENT_TRAFFIC_SECRET_0 and SERVER_TRAFFIC_SECRET_0 (RFC 8446, section 7.1).
struct TrafficSecrets {
  Secret client;
  Secret server;
};

/// For SSL_CTX_set_keylog_callback: stores the two lines that matter into the connection's
/// TrafficSecrets, and forgets the others.
void record_secret(const SSL* ssl, const char* line) noexcept;

/// The place record_secret() writes to, for the SSL's life.
void collect_secrets(SSL* ssl, TrafficSecrets& secrets) noexcept;

}  // namespace aquifer::tls
