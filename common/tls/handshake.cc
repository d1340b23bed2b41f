#include "common/tls/handshake.h"

#include "common/base/assert.h"
#include "common/tls/openssl.h"
#include "common/tls/openssl_record_layer.h"
#include "common/tls/peer_check.h"
#include "common/tls/tls_error.h"
#include "common/tls/traffic_secrets.h"
#include "common/tls/wire_bio.h"

#include <utility>

namespace aquifer::tls {
namespace {

// IANA's number of X25519MLKEM768; OpenSSL answers it with a mark where it has no NID for a group.
constexpr int kGroupX25519MlKem768 = 0x11ec;
constexpr int kGroupIdMask = 0xffff;

// OpenSSL's names belong to its context; these live for ever.
std::string_view group_name(SSL* ssl) noexcept {
  const auto group = static_cast<int>(SSL_get_negotiated_group(ssl));
  switch (group) {
    case NID_X25519: return "X25519";
    case NID_X9_62_prime256v1: return "P-256";
    case NID_secp384r1: return "P-384";
    default: break;
  }
  return (group & kGroupIdMask) == kGroupX25519MlKem768 ? "X25519MLKEM768" : "unknown";
}

}  // namespace

struct Handshake::State {
  enum class Phase : std::uint8_t { running, done, failed };

  // The context outlives its connections; the SSL holds its own reference to the library's half.
  std::shared_ptr<const void> context;
  RecordLayerKind records;
  PeerCheck check;
  TrafficSecrets secrets;
  std::unique_ptr<Wire> wire;
  SslPtr ssl;  // after what it points to, so that it is destroyed before
  std::size_t bytes_read = 0;
  Phase phase = Phase::running;

  Status attach(ssl_ctx_st* handle);
  [[nodiscard]] Error refused();
  [[nodiscard]] Result<std::unique_ptr<RecordLayer>> take_records();
};

Status Handshake::State::attach(ssl_ctx_st* handle) {
  clear_tls_errors();
  ssl.reset(SSL_new(handle));
  wire = std::make_unique<Wire>();
  BIO* bio = ssl ? make_wire_bio(*wire) : nullptr;
  if (bio == nullptr) return fail(take_tls_error(Errc::exhausted, "making a TLS connection"));
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_app_data(ssl.get(), &check);
  if (records == RecordLayerKind::own) collect_secrets(ssl.get(), secrets);
  if (check.role == PeerCheck::Role::server) {
    SSL_set_accept_state(ssl.get());
  } else {
    SSL_set_connect_state(ssl.get());
  }
  return {};
}

// Whose fault: the peer's identity, or TLS itself?
Error Handshake::State::refused() {
  const unsigned long error = ERR_peek_error();
  const int reason = ERR_GET_REASON(error);
  const bool about_identity =
      ERR_GET_LIB(error) == ERR_LIB_SSL && (reason == SSL_R_CERTIFICATE_VERIFY_FAILED ||
                                            reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE);
  if (!check.refusal.empty()) set_tls_error_text(check.refusal);
  return take_tls_error(about_identity ? Errc::identity : Errc::tls, "TLS handshake")
      .from(check.role == PeerCheck::Role::server ? ErrorSource::downstream
                                                  : ErrorSource::upstream);
}

// Our own records start from the two secrets, and OpenSSL's connection goes: with it the peer's
// certificates and all buffers.
Result<std::unique_ptr<RecordLayer>> Handshake::State::take_records() {
  if (records == RecordLayerKind::openssl) {
    return std::make_unique<OpensslRecordLayer>(std::move(ssl), std::move(wire));
  }
  // Read-ahead is off, so nothing behind Finished can have been read; without this the first
  // records would be lost.
  if (SSL_has_pending(ssl.get()) != 0) return fail(Errc::internal, "TLS bytes left in OpenSSL");
  RecordState start;
  start.role = check.role == PeerCheck::Role::client ? TlsRole::client : TlsRole::server;
  start.suite = SSL_CIPHER_get_id(SSL_get_current_cipher(ssl.get())) == TLS1_3_CK_AES_128_GCM_SHA256
                    ? CipherSuite::aes_128_gcm_sha256
                    : CipherSuite::aes_256_gcm_sha384;
  const bool client = start.role == TlsRole::client;
  start.write.secret = client ? secrets.client : secrets.server;
  start.read.secret = client ? secrets.server : secrets.client;
  return restore_record_layer(std::move(start));
}

Handshake::Handshake(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Handshake::Handshake(Handshake&&) noexcept = default;
Handshake& Handshake::operator=(Handshake&&) noexcept = default;
Handshake::~Handshake() = default;

Result<Handshake> Handshake::server(std::shared_ptr<const ServerContext> context) {
  auto state = std::make_unique<State>();
  state->records = context->records();
  state->check.role = PeerCheck::Role::server;
  state->check.own_trust_domain = context->identity().trust_domain();
  TRY_VOID(state->attach(context->handle()));
  state->context = std::move(context);
  return Handshake(std::move(state));
}

Result<Handshake> Handshake::client(std::shared_ptr<const ClientContext> context,
                                    std::span<const SpiffeId> expected) {
  if (expected.empty()) return fail(Errc::identity, "no identity is expected of the server");
  auto state = std::make_unique<State>();
  state->records = context->records();
  state->check.role = PeerCheck::Role::client;
  state->check.expected.assign(expected.begin(), expected.end());
  TRY_VOID(state->attach(context->handle()));
  state->context = std::move(context);
  return Handshake(std::move(state));
}

Result<HandshakeStep> Handshake::step(ByteView& ciphertext, io::ChunkQueue& out) {
  State& state = *state_;
  AQUIFER_ASSERT(state.phase == State::Phase::running);
  clear_tls_errors();
  const WireCall call(*state.wire, ciphertext, out);
  const int verdict = SSL_do_handshake(state.ssl.get());
  const int reason = verdict == 1 ? SSL_ERROR_NONE : SSL_get_error(state.ssl.get(), verdict);
  state.bytes_read += ciphertext.size() - call.rest().size();
  ciphertext = call.rest();
  if (reason == SSL_ERROR_WANT_READ && state.bytes_read <= kInputBytesMax) {
    return HandshakeStep::needs_input;
  }
  if (reason == SSL_ERROR_NONE) {
    state.phase = State::Phase::done;
    return HandshakeStep::done;
  }
  state.phase = State::Phase::failed;
  if (reason == SSL_ERROR_WANT_READ) return fail(Errc::limit, "a TLS handshake that does not end");
  return fail(state.refused());
}

Result<Established> Handshake::finish() {
  State& state = *state_;
  AQUIFER_ASSERT(state.phase == State::Phase::done);
  SSL* ssl = state.ssl.get();
  // Promised by the callbacks; a handshake that got here without them would be an open door.
  AQUIFER_ASSERT(!state.check.identity.empty());
  AQUIFER_ASSERT(speaks_h2(ssl));
  AQUIFER_ASSERT(SSL_version(ssl) == TLS1_3_VERSION && SSL_session_reused(ssl) == 0);

  Established established;
  established.peer.identity = std::move(state.check.identity);
  established.peer.not_after = state.check.not_after;
  established.peer.cipher = SSL_get_cipher_name(ssl);
  established.peer.group = group_name(ssl);
  established.peer.alpn = "h2";
  TRY(established.records, state.take_records());
  return established;
}

}  // namespace aquifer::tls
