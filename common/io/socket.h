// A connected (or connecting) TCP socket of one loop.
#pragma once

#include "common/base/address.h"
#include "common/base/bytes.h"
#include "common/base/fd.h"
#include "common/coro/task.h"
#include "common/io/loop.h"
#include "common/io/readiness.h"

#include <sys/uio.h>

#include <optional>
#include <span>

namespace aquifer::io {

/// Owns the descriptor, which must be non-blocking. Belongs to `loop`, is not moved (the kernel
/// side knows its address), and is destroyed only when nothing waits on it. One reader and one
/// writer at a time.
class Socket {
 public:
  Socket(Loop& loop, Fd fd) noexcept;
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  class Recv : public Awaited<ReceiveOperation> {
   public:
    Recv(Socket& socket, std::uint32_t max, Deadline deadline, coro::CancelSource* cancel) noexcept
        : Awaited(socket.loop_, deadline, cancel, socket.channel_, max) {}
    [[nodiscard]] Result<Buffer> await_resume() noexcept;
  };
  /// Waits for bytes and gives them in a leased buffer (at most `bytes_max`, at most the pool's
  /// block); empty at the end of the stream. A receive that is cancelled after data arrived gives
  /// the data or cancelled, never both. The lease is to be given back soon, without waiting for
  /// another peer.
  [[nodiscard]] Recv recv(std::uint32_t bytes_max = UINT32_MAX, Deadline deadline = {},
                          coro::CancelSource* cancel = nullptr) noexcept {
    return Recv(*this, bytes_max, deadline, cancel);
  }

  /// Sends what the kernel takes now; 0 when it takes nothing. Never waits, never raises SIGPIPE.
  [[nodiscard]] Result<std::size_t> try_send(ByteView bytes) noexcept;
  [[nodiscard]] Result<std::size_t> try_send(std::span<iovec> pieces) noexcept;

  /// Waits until the kernel takes more (or the connection failed: then the next send says so).
  [[nodiscard]] Writable writable(Deadline deadline = {},
                                  coro::CancelSource* cancel = nullptr) noexcept {
    return Writable(loop_, channel_, deadline, cancel);
  }

  /// Sends all of `bytes`, which must stay valid until then.
  [[nodiscard]] coro::Task<Status> send_all(ByteView bytes, Deadline deadline = {},
                                            coro::CancelSource* cancel = nullptr);

  /// Connects; the peer's refusal and the deadline are errors of the upstream.
  [[nodiscard]] coro::Task<Status> connect(SocketAddress address, Deadline deadline,
                                           coro::CancelSource* cancel = nullptr);

  /// FIN: the peer reads the end of the stream after what was sent.
  Status shutdown_write() noexcept;
  /// Makes the destructor send RST instead of FIN, and drops unsent bytes.
  void reset_on_close() noexcept;
  /// RST now: whatever waits on the socket fails as if the peer had reset it.
  void reset_now() noexcept;

  [[nodiscard]] Result<PeerAddr> peer_address() const noexcept;
  [[nodiscard]] Result<LocalAddr> local_address() const noexcept;
  /// Where the client wanted to go before the redirection; the local address when nothing was
  /// redirected.
  [[nodiscard]] Result<OriginalDst> original_destination() const noexcept;

  [[nodiscard]] Loop& loop() const noexcept { return loop_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] Channel& channel() noexcept { return channel_; }

  /// For handing the connection on (another process, another loop): nothing may wait on it.
  [[nodiscard]] Fd take_fd() noexcept;

 private:
  std::unexpected<Error> send_failed(int error) noexcept;

  Loop& loop_;
  Fd fd_;
  Channel channel_;
};

/// What came of a receive on `channel`: its buffer, or why there is none.
[[nodiscard]] Result<Buffer> received(const Status& outcome, Buffer& buffer,
                                      const Channel& channel) noexcept;

}  // namespace aquifer::io
