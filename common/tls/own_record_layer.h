// Our TLS 1.3 record layer (RFC 8446, section 5): AES-GCM straight from the caller's pieces into
// the queue that is sent, and from what was received into the caller's memory, many records to a
// call. An idle connection holds two keys and no buffer. Its state is a value that can be written
// down. For .cc files of common/tls only.
#pragma once

#include "common/tls/post_handshake.h"
#include "common/tls/record_layer.h"
#include "common/tls/record_state.h"
#include "common/tls/traffic_key.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aquifer::tls {

class OwnRecordLayer final : public RecordLayer {
 public:
  /// Starts, or carries on, from `state`.
  [[nodiscard]] static Result<std::unique_ptr<OwnRecordLayer>> create(RecordState state);
  ~OwnRecordLayer() override;

  Status seal(std::span<const ByteView> plaintext, io::ChunkQueue& out) override;
  Result<std::size_t> open(ByteView& ciphertext, MutableBytes plaintext,
                           io::ChunkQueue& reply) override;
  [[nodiscard]] bool peer_closed() const noexcept override { return peer_closed_; }
  Status close_notify(io::ChunkQueue& out) override;
  [[nodiscard]] std::string_view name() const noexcept override { return "own"; }
  [[nodiscard]] std::optional<RecordState> export_state() const override;

  /// New keys for what we send, and for what the peer sends too if it is `requested`. seal() does
  /// it by itself before a key is worn out.
  enum class PeerToo : std::uint8_t { no, requested };
  [[nodiscard]] Status update_keys(PeerToo peer, io::ChunkQueue& out);

 private:
  OwnRecordLayer(const RecordState& state, TrafficKey write, TrafficKey read);

  [[nodiscard]] ByteView whole_record(ByteView& ciphertext);
  [[nodiscard]] std::size_t hand_out(MutableBytes plaintext) noexcept;
  std::size_t open_record(ByteView record, MutableBytes plaintext, io::ChunkQueue& reply);
  void dispatch(ContentType type, ByteView content, io::ChunkQueue& reply);
  void take_alert(ByteView content, io::ChunkQueue& reply);
  void take_handshake(ByteView content, io::ChunkQueue& reply);
  void refuse(int alert, const char* why, io::ChunkQueue& reply);
  void die(const char* context, std::string why);
  [[nodiscard]] Status send(ContentType type, ByteView content, io::ChunkQueue& out);

  CipherSuite suite_;
  TlsRole role_;
  TrafficKey write_;
  TrafficKey read_;
  bool closed_;
  bool peer_closed_;
  // Records since the last one with application data: an honest peer sends a few tickets or a key
  // update.
  int idle_records_ = 0;
  std::vector<std::uint8_t> partial_;  // the start of a record
  std::vector<std::uint8_t> pending_;  // of a record that was larger than the caller's room
  std::size_t pending_begin_ = 0;
  PostHandshake messages_;
  std::optional<Error> failure_;
  std::string failure_text_;
};

}  // namespace aquifer::tls
