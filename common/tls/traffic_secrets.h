// The two traffic secrets of a finished handshake, which OpenSSL gives out by its key log callback.
// They are what our own record layer starts from. Wiped when dropped. For .cc files of common/tls
// only.
#pragma once

#include "common/tls/openssl.h"
#include "common/tls/secret.h"

namespace aquifer::tls {

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
