#include "common/tls/context.h"

#include "common/tls/openssl.h"
#include "common/tls/peer_check.h"
#include "common/tls/tls_error.h"
#include "common/tls/traffic_secrets.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace aquifer::tls {
namespace {

constexpr const char* kCipherSuites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";

// Leaf, a few intermediates, root: a longer chain is somebody's mistake or an attack on our time.
constexpr int kChainDepthMax = 6;

constexpr std::array<unsigned char, 3> kAlpnH2 = {2, 'h', '2'};

/// The first list this OpenSSL knows: names it has never heard of make the whole list fail, so try
/// shorter ones.
bool set_groups(SSL_CTX* context, KeyExchange choice) {
  if (SSL_CTX_set1_groups_list(context, choice == KeyExchange::hybrid_only
                                            ? "X25519MLKEM768"
                                            : "X25519MLKEM768:X25519:P-256:P-384") == 1) {
    return true;
  }
  if (choice == KeyExchange::hybrid_only) return false;
  clear_tls_errors();
  return SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1;
}

// OpenSSL asks choose_h2 only when the client offers something; one that offers nothing is no HBONE
// client either.
int require_alpn(SSL* ssl, int* alert, void* /*unused*/) noexcept {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data,
                                &size) == 1) {
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  static_cast<PeerCheck*>(SSL_get_app_data(ssl))->refusal = "the client does not speak h2";
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

int choose_h2(SSL* ssl, const unsigned char** out, unsigned char* out_size,
              const unsigned char* offered, unsigned offered_size, void* /*unused*/) noexcept {
  unsigned char* chosen = nullptr;
  const int verdict = SSL_select_next_proto(&chosen, out_size, kAlpnH2.data(), kAlpnH2.size(),
                                            offered, offered_size);
  *out = chosen;
  if (verdict == OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_OK;
  static_cast<PeerCheck*>(SSL_get_app_data(ssl))->refusal = "the client does not speak h2";
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool set_certificates(SSL_CTX* context, const CertificateBundle& bundle) {
  if (SSL_CTX_use_certificate(context, bundle.leaf().handle()) != 1) return false;
  if (SSL_CTX_use_PrivateKey(context, bundle.key.handle()) != 1) return false;
  for (std::size_t i = 1; i < bundle.chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, bundle.chain[i].handle()) != 1) return false;
  }
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const Certificate& root : bundle.roots) {
    if (X509_STORE_add_cert(store, root.handle()) != 1) return false;
  }
  // Every certificate given as a root is an anchor, also one that is not self-signed.
  return X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

void set_frugality(SSL_CTX* context) {
  // An idle tunnel holds no record buffers, and nothing is kept for a resumption that will not
  // come.
  // The chain is what the bundle says: OpenSSL would send the root along with it.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  // Read-ahead would swallow what follows Finished, which belongs to the record layer.
  SSL_CTX_set_read_ahead(context, 0);
  SSL_CTX_set_options(context,
                      SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
}

/// What both roles share.
Result<SslContextPtr> make_context(const SSL_METHOD* method, const CertificateBundle& bundle,
                                   const ContextOptions& options) {
  clear_tls_errors();
  SslContextPtr owner(SSL_CTX_new(method));
  if (!owner) return fail(take_tls_error(Errc::tls, "making a TLS context"));
  SSL_CTX* context = owner.get();
  const bool configured = SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
                          SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
                          SSL_CTX_set_ciphersuites(context, kCipherSuites) == 1;
  if (!configured) return fail(take_tls_error(Errc::tls, "configuring a TLS context"));
  if (!set_groups(context, options.key_exchange)) {
    return fail(take_tls_error(Errc::tls, "this OpenSSL has no X25519MLKEM768"));
  }
  if (!set_certificates(context, bundle)) {
    return fail(take_tls_error(Errc::identity, "using a certificate and its key"));
  }
  set_frugality(context);
  SSL_CTX_set_verify_depth(context, kChainDepthMax);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, verify_peer, nullptr);
  // Our own records need the traffic secrets, and the key log is the only way OpenSSL gives them
  // out.
  if (options.records == RecordLayerKind::own) SSL_CTX_set_keylog_callback(context, record_secret);
  return owner;
}

Result<SpiffeId> identity_of(const CertificateBundle& bundle) {
  if (bundle.chain.empty()) return fail(Errc::identity, "a certificate chain without certificates");
  auto ids = bundle.leaf().spiffe_ids();
  if (ids.empty()) return fail(Errc::identity, "a certificate without a SPIFFE identity");
  return std::move(ids.front());
}

}  // namespace

bool can_exchange_keys(KeyExchange choice) noexcept {
  const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  const bool can = context != nullptr && set_groups(context.get(), choice);
  clear_tls_errors();
  return can;
}

Result<RecordLayerKind> record_layer_from_environment() {
  const char* value = std::getenv("AQUIFER_TLS_RECORDS");
  const std::string_view word = value != nullptr ? value : "";
  if (word.empty()) return ContextOptions{}.records;
  if (word == "openssl") return RecordLayerKind::openssl;
  if (word == "own") return RecordLayerKind::own;
  return fail(Errc::invalid, "AQUIFER_TLS_RECORDS must be openssl or own");
}

Result<std::shared_ptr<const ServerContext>> ServerContext::create(const CertificateBundle& bundle,
                                                                   const ContextOptions& options) {
  TRY(auto identity, identity_of(bundle));
  TRY(auto context, make_context(TLS_server_method(), bundle, options));
  SSL_CTX_set_client_hello_cb(context.get(), require_alpn, nullptr);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_h2, nullptr);
  return std::shared_ptr<const ServerContext>(
      new ServerContext(std::move(context), std::move(identity), options.records));
}

Result<std::shared_ptr<const ClientContext>> ClientContext::create(const CertificateBundle& bundle,
                                                                   const ContextOptions& options) {
  TRY(auto identity, identity_of(bundle));
  TRY(auto context, make_context(TLS_client_method(), bundle, options));
  // Zero is success here, unlike everywhere else.
  if (SSL_CTX_set_alpn_protos(context.get(), kAlpnH2.data(), kAlpnH2.size()) != 0) {
    return fail(take_tls_error(Errc::tls, "configuring a TLS context"));
  }
  return std::shared_ptr<const ClientContext>(
      new ClientContext(std::move(context), std::move(identity), options.records));
}

}  // namespace aquifer::tls
