// A TCP socket as a ByteStream.
#pragma once

#include "common/io/byte_stream.h"
#include "common/io/chunk_queue.h"
#include "common/io/socket.h"
#include "common/io/write_sizes.h"

#include <memory>

namespace aquifer::io {

class SocketStream final : public ByteStream, DirectSink {
 public:
  SocketStream(Loop& loop, Fd fd) noexcept
      : socket_(loop, std::move(fd)),
        reading_(socket_.channel(), UINT32_MAX),
        writing_(OperationKind::writable, socket_.channel()) {}

  [[nodiscard]] Result<std::size_t> poll_writable(coro::Wakeup& wakeup) override;
  [[nodiscard]] Status write(Buffer bytes) override;
  [[nodiscard]] Result<std::optional<Buffer>> poll_read(std::size_t bytes_max,
                                                        coro::Wakeup& wakeup) override;
  [[nodiscard]] std::optional<Error> poll_failure(coro::Wakeup& wakeup) override;
  void end_write_wait() noexcept override { writing_.cancel(socket_.loop()); }
  void end_read_wait() noexcept override { reading_.cancel(socket_.loop()); }
  [[nodiscard]] Status shutdown_write() override;
  void abort() noexcept override;
  [[nodiscard]] bool is_quiet() noexcept override;
  [[nodiscard]] DirectSink* as_sink() noexcept override { return this; }
  std::size_t deliver(ByteView bytes) noexcept override;

  /// What has arrived, without waiting and without a word of why there is nothing: the next reader
  /// hears that. Not while a read is under way.
  [[nodiscard]] std::size_t read_now(MutableBytes room) noexcept;

  /// Bytes that somebody read to look at: the next read() gives them before what comes later. Once
  /// they are read it may be done again. Not empty.
  void put_back(Buffer bytes);

  [[nodiscard]] Socket& socket() noexcept { return socket_; }
  /// Bytes given to write() that the kernel did not take yet: what a hand-over must carry on.
  [[nodiscard]] const ChunkQueue& unsent() const noexcept { return unsent_; }

 private:
  // Given to a copy as its allowance: one large receive. What the kernel does not take of it is all
  // we ever keep. Beside small messages it is half of that.
  static constexpr std::size_t kAllowance = 128 * 1024;
  static constexpr std::size_t kAllowanceBesideLittle = 64 * 1024;

  Buffer take_put_back(std::size_t bytes_max);

  Socket socket_;
  // The receive that is under way, or the watch for a failure that takes its place.
  Told<ReceiveOperation> reading_;
  Told<Operation> writing_;
  ChunkQueue unsent_;
  WriteSizes sizes_;
  // Null for nearly every connection, for ever.
  std::unique_ptr<Buffer> put_back_;
};

}  // namespace aquifer::io
