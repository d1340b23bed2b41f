// One immutable SSL_CTX per identity and role. Made on the control thread, shared by all loops,
// swapped as a whole on rotation: connections keep the one they began with.
#pragma once

#include "common/base/result.h"
#include "common/base/spiffe.h"
#include "common/tls/certificate.h"
#include "common/tls/handles.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace aquifer::tls {

/// What carries records after the handshake.
enum class RecordLayerKind : std::uint8_t { openssl, own };

/// AQUIFER_TLS_RECORDS=openssl|own, else the default. An unknown word is Errc::invalid.
[[nodiscard]] Result<RecordLayerKind> record_layer_from_environment();

/// Which key exchange groups may be used.
enum class KeyExchange : std::uint8_t {
  hybrid_first,  ///< X25519MLKEM768 where OpenSSL has it, then X25519, P-256, P-384
  hybrid_only,   ///< COMPLIANCE_POLICY=pqc: X25519MLKEM768 or nothing
};

/// True exactly when this OpenSSL can do what is asked.
[[nodiscard]] bool can_exchange_keys(KeyExchange choice) noexcept;

struct ContextOptions {
  /// Ours: a fifth to a third less CPU a byte, a seventh of the memory of an idle connection.
  RecordLayerKind records = RecordLayerKind::own;
  KeyExchange key_exchange = KeyExchange::hybrid_first;
};

/// Accepts: TLS 1.3, ALPN h2, a client certificate that chains to the roots and names a SPIFFE id
/// of our own trust domain.
class ServerContext {
 public:
  [[nodiscard]] static Result<std::shared_ptr<const ServerContext>> create(
      const CertificateBundle& bundle, const ContextOptions& options = {});
  [[nodiscard]] const SpiffeId& identity() const noexcept { return identity_; }
  [[nodiscard]] RecordLayerKind records() const noexcept { return records_; }
  [[nodiscard]] ssl_ctx_st* handle() const noexcept { return context_.get(); }

  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

 private:
  ServerContext(SslContextPtr context, SpiffeId identity, RecordLayerKind records) noexcept
      : context_(std::move(context)), identity_(std::move(identity)), records_(records) {}
  SslContextPtr context_;
  SpiffeId identity_;
  RecordLayerKind records_;
};

/// Dials: TLS 1.3, ALPN h2, presents its own certificate; no server name, no resumption. Whom it
/// expects is said per connection, see Handshake::client.
class ClientContext {
 public:
  [[nodiscard]] static Result<std::shared_ptr<const ClientContext>> create(
      const CertificateBundle& bundle, const ContextOptions& options = {});
  [[nodiscard]] const SpiffeId& identity() const noexcept { return identity_; }
  [[nodiscard]] RecordLayerKind records() const noexcept { return records_; }
  [[nodiscard]] ssl_ctx_st* handle() const noexcept { return context_.get(); }

  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

 private:
  ClientContext(SslContextPtr context, SpiffeId identity, RecordLayerKind records) noexcept
      : context_(std::move(context)), identity_(std::move(identity)), records_(records) {}
  SslContextPtr context_;
  SpiffeId identity_;
  RecordLayerKind records_;
};

}  // namespace aquifer::tls
