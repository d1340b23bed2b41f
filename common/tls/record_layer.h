// RecordLayer: what carries TLS records once the handshake is done. The one seam between tunnels
// and TLS, so that OpenSSL's records and our own both fit. Belongs to one connection, on its loop's
// thread; never waits, does no io.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/io/chunk_queue.h"
#include "common/tls/record_state.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace aquifer::tls {

class RecordLayer {
 public:
  RecordLayer() noexcept = default;
  RecordLayer(const RecordLayer&) = delete;
  RecordLayer& operator=(const RecordLayer&) = delete;
  virtual ~RecordLayer() = default;

  /// Appends the pieces, joined, as TLS records to `out`. All or nothing. Pieces are read only
  /// during the call. The caller bounds `out` by asking its size() before.
  [[nodiscard]] virtual Status seal(std::span<const ByteView> plaintext, io::ChunkQueue& out) = 0;

  /// Takes from the front of `ciphertext`, writes plaintext, and returns how many bytes it wrote. 0
  /// means that more input is needed, or that the peer closed (see peer_closed): then `ciphertext`
  /// is empty. Call again after anything else. What must be sent because of it (answers to key
  /// updates, alerts) is appended to `reply`, also when an error is returned: flush it, then close.
  [[nodiscard]] virtual Result<std::size_t> open(ByteView& ciphertext, MutableBytes plaintext,
                                                 io::ChunkQueue& reply) = 0;

  /// True exactly when close_notify was received; bytes behind it are dropped. An end of the
  /// transport without it is a cut: the caller decides what that means.
  [[nodiscard]] virtual bool peer_closed() const noexcept = 0;

  /// Says that nothing more will be sent. Once; seal() fails with Errc::closed afterwards, open()
  /// goes on.
  [[nodiscard]] virtual Status close_notify(io::ChunkQueue& out) = 0;

  /// The state to carry the connection on from elsewhere; this layer must not be used afterwards.
  /// None where the layer cannot (OpenSSL's) or the connection has failed.
  [[nodiscard]] virtual std::optional<RecordState> export_state() const { return std::nullopt; }

  /// "openssl" or "own": for metrics and tests.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
};

/// Carries on from an exported state, with our own record layer.
[[nodiscard]] Result<std::unique_ptr<RecordLayer>> restore_record_layer(RecordState state);

}  // namespace aquifer::tls
