// TunnelStream: one CONNECT stream as a ByteStream. Owned by the connection it serves; its tunnel
// outlives it (a tunnel waits for its streams), also when the tunnel's TCP connection is gone: then
// everything here fails.
#pragma once

#include "common/coro/event.h"
#include "common/hbone/headers.h"
#include "common/hbone/stream_state.h"
#include "common/io/byte_stream.h"
#include "common/io/chunk_queue.h"
#include "common/io/write_sizes.h"

#include <memory>
#include <optional>

namespace aquifer::hbone {

class Tunnel;

class TunnelStream final : public io::ByteStream {
 public:
  ~TunnelStream() override;

  /// Server: answers 200 (with baggage) and opens the stream for bytes.
  [[nodiscard]] Status accept(const ConnectResponse& response);
  /// Server: answers with another status and ends the stream.
  void refuse(int status);
  [[nodiscard]] Result<std::size_t> poll_writable(coro::Wakeup& wakeup) override;
  [[nodiscard]] Status write(io::Buffer bytes) override;
  [[nodiscard]] Result<std::optional<io::Buffer>> poll_read(std::size_t bytes_max,
                                                            coro::Wakeup& wakeup) override;
  [[nodiscard]] std::optional<Error> poll_failure(coro::Wakeup& wakeup) override;
  void end_write_wait() noexcept override { writable_.end_wait(); }
  void end_read_wait() noexcept override { readable_.end_wait(); }
  [[nodiscard]] Status shutdown_write() override;
  void abort() noexcept override;
  [[nodiscard]] bool is_quiet() noexcept override {
    return inbox_.empty() && !failed_ && !stream_->remote_ended();
  }
  void set_direct_sink(io::DirectSink* sink) noexcept override { sink_ = sink; }

  /// Would a chunk be sent without waiting behind others?
  [[nodiscard]] bool has_room() const noexcept;
  /// Lets whoever waits for its answer, or for its bytes, look again.
  void wake_reader() noexcept { readable_.notify(); }

  [[nodiscard]] Tunnel& tunnel() const noexcept { return tunnel_; }
  /// Received and not yet read.
  [[nodiscard]] std::size_t queued_bytes() const noexcept { return inbox_.size(); }

 private:
  friend class Tunnel;
  TunnelStream(Tunnel& tunnel, Stream* stream) noexcept;
  /// Ends with `error`: both waits are told.
  void fail(Error error) noexcept;
  /// How much may be written at once where there is room.
  [[nodiscard]] std::size_t allowance() const noexcept;

  Tunnel& tunnel_;
  Stream* stream_;         // null until open() has been asked, and never again after
  io::ChunkQueue inbox_;   // received and not yet read
  io::ChunkQueue unsent_;  // written and not yet framed: the connection's window closed in between
  io::DirectSink* sink_ = nullptr;
  std::unique_ptr<ConnectResponse> response_;  // only between its arrival and open()'s return
  std::optional<Error> failed_;
  coro::Event readable_;
  coro::Event writable_;
  bool waits_for_room_ = false;
  bool refused_unseen_ = false;  // the peer never looked at its request
  io::WriteSizes sizes_;
};

}  // namespace aquifer::hbone
