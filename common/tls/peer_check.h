// PeerCheck: what one connection demands of its peer's certificate, and what it found. OpenSSL
// calls verify_peer() in the middle of the handshake, before anything of ours is sent that needs
// trust. For .cc files of common/tls only.
#pragma once

#include "common/base/spiffe.h"
#include "common/tls/certificate.h"
#include "common/tls/openssl.h"

#include <string>
#include <vector>

namespace aquifer::tls {

struct PeerCheck {
  enum class Role : std::uint8_t { client, server };

  Role role;                       ///< ours
  std::string own_trust_domain;    ///< server: at least one of the peer's ids must be of it
  std::vector<SpiffeId> expected;  ///< client: at least one of the peer's ids must be among them

  // Found, once accepted.
  SpiffeId identity;
  WallTime not_after;
  // Why not, else.
  std::string refusal;
};

/// For SSL_CTX_set_cert_verify_callback. Finds its PeerCheck as the SSL's app data.
int verify_peer(X509_STORE_CTX* store, void* unused) noexcept;

/// True exactly when the peer agreed to h2.
[[nodiscard]] bool speaks_h2(const SSL* ssl) noexcept;

}  // namespace aquifer::tls
