// Handshake: one TLS 1.3 handshake without io. Fed with what arrived, it appends what must be sent;
// when it is done it gives the peer's identity and the record layer. One connection, on its loop's
// thread.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/spiffe.h"
#include "common/io/chunk_queue.h"
#include "common/tls/context.h"
#include "common/tls/record_layer.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace aquifer::tls {

enum class HandshakeStep : std::uint8_t {
  needs_input,  ///< flush `out`, receive, step again
  done,         ///< flush `out`, then finish()
};

/// What the handshake established about the other side. Identity is already verified.
struct PeerInfo {
  /// The first SPIFFE id of its certificate.
  SpiffeId identity;
  /// When its certificate ends; the connection may live on.
  WallTime not_after;
  /// Names as OpenSSL prints them: "TLS_AES_256_GCM_SHA384", "x25519". Static or OpenSSL-owned for
  /// the process's life.
  std::string_view cipher;
  std::string_view group;
  std::string_view alpn;
};

struct Established {
  PeerInfo peer;
  std::unique_ptr<RecordLayer> records;
};

class Handshake {
 public:
  /// At most this much before the handshake is done: certificate chains are a few KiB.
  static constexpr std::size_t kInputBytesMax = 128 * 1024;

  [[nodiscard]] static Result<Handshake> server(std::shared_ptr<const ServerContext> context);
  /// The server must prove one of `expected` (at least one; copied). Checked before we send our
  /// certificate.
  [[nodiscard]] static Result<Handshake> client(std::shared_ptr<const ClientContext> context,
                                                std::span<const SpiffeId> expected);

  Handshake(Handshake&&) noexcept;
  Handshake& operator=(Handshake&&) noexcept;
  ~Handshake();

  /// Takes from the front of `ciphertext` (all of it unless done; what is left when done belongs to
  /// the record layer) and appends to `out`. A client's first step takes an empty view. On refusal
  /// `out` holds the alert: flush it, then close; the error is Errc::identity when the peer's
  /// certificate or identity is the reason, else Errc::tls, and last_tls_error_text() says why.
  [[nodiscard]] Result<HandshakeStep> step(ByteView& ciphertext, io::ChunkQueue& out);

  /// After done, once.
  [[nodiscard]] Result<Established> finish();

 private:
  struct State;
  explicit Handshake(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace aquifer::tls
