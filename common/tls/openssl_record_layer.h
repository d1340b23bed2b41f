// OpenSSL's own record layer behind our seam. For .cc files of common/tls only.
#pragma once

#include "common/tls/handles.h"
#include "common/tls/record_layer.h"
#include "common/tls/wire_bio.h"

#include <memory>
#include <optional>
#include <string>

namespace aquifer::tls {

class OpensslRecordLayer final : public RecordLayer {
 public:
  /// `ssl` has finished its handshake; its BIO works on `wire`.
  OpensslRecordLayer(SslPtr ssl, std::unique_ptr<Wire> wire) noexcept;
  ~OpensslRecordLayer() override;

  Status seal(std::span<const ByteView> plaintext, io::ChunkQueue& out) override;
  Result<std::size_t> open(ByteView& ciphertext, MutableBytes plaintext,
                           io::ChunkQueue& reply) override;
  [[nodiscard]] bool peer_closed() const noexcept override { return peer_closed_; }
  Status close_notify(io::ChunkQueue& out) override;
  [[nodiscard]] std::string_view name() const noexcept override { return "openssl"; }

  /// For tests: asks for new keys, and for the peer's new keys too, with the next seal().
  void request_key_update() noexcept;

 private:
  [[nodiscard]] bool write(ByteView piece) noexcept;
  [[nodiscard]] Error fail_for_good(const char* what);
  [[nodiscard]] Error failed_before() const;

  // Declared first, destroyed last: the SSL's BIO points to it.
  std::unique_ptr<Wire> wire_;
  SslPtr ssl_;
  bool peer_closed_ = false;
  bool closed_ = false;
  // After a fatal error OpenSSL must not be asked for anything; it is told again and again.
  std::optional<Error> failure_;
  std::string failure_text_;
};

}  // namespace aquifer::tls
