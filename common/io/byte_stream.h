// ByteStream: what a connection looks like to whoever copies between two of them. A TCP socket and
// a stream of a tunnel are both one, so the copy knows neither.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/coro/wakeup.h"
#include "common/io/buffer.h"

#include <cstddef>
#include <optional>

namespace aquifer::io {

/// Somebody who takes bytes at once, without a coroutine in between: the hot path of a copy.
class DirectSink {
 public:
  /// Takes a prefix of `bytes` (possibly none) and returns its length. Called from inside the
  /// source's read: must not call back into it, nor resume anybody.
  virtual std::size_t deliver(ByteView bytes) noexcept = 0;

 protected:
  ~DirectSink() = default;
};

/// One loop, one reader and one writer at a time. An abandoned stream is reset by its destructor.
///
/// The poll functions never wait: where they have nothing to give, the `wakeup` is called once,
/// soon after that may have changed (possibly before they return), and then one polls again. Until
/// it was called the stream stays, and nothing else is polled on that side. Somebody else may poll
/// for the same meanwhile: then their wakeup is called instead.
class ByteStream {
 public:
  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  virtual ~ByteStream() = default;

  /// How many bytes write() may be given; 0: not now. This is where back-pressure acts: a copy asks
  /// it before it reads, so a stalled side holds no buffer.
  [[nodiscard]] virtual Result<std::size_t> poll_writable(coro::Wakeup& wakeup) = 0;

  /// Takes at most what writable() allowed. Never waits; what the kernel does not take is kept.
  [[nodiscard]] virtual Status write(Buffer bytes) = 0;

  /// The next bytes, at most `bytes_max`; an empty buffer at the end of the stream; nothing: not
  /// now.
  [[nodiscard]] virtual Result<std::optional<Buffer>> poll_read(std::size_t bytes_max,
                                                                coro::Wakeup& wakeup) = 0;

  /// Has the connection failed (reset by the peer, cut)? What a copy watches of a side whose end it
  /// has read. Nothing: not yet.
  [[nodiscard]] virtual std::optional<Error> poll_failure(coro::Wakeup& wakeup) = 0;

  /// Ends the wait of poll_writable(), or of poll_read() and poll_failure(), if there is one: its
  /// wakeup comes soon.
  virtual void end_write_wait() noexcept = 0;
  virtual void end_read_wait() noexcept = 0;

  /// After all that was written: tells the peer that nothing follows. Once, with nothing waiting in
  /// write().
  [[nodiscard]] virtual Status shutdown_write() = 0;

  /// The peer is to see a failure, not an end. Reads and writes fail from now on.
  virtual void abort() noexcept = 0;

  /// True while nothing waits to be read and the stream has neither ended nor failed, as far as is
  /// known without waiting: whether a connection that was left alone may be used again.
  [[nodiscard]] virtual bool is_quiet() noexcept = 0;

  /// From now on bytes may be given to `sink` as they arrive, as long as none is waiting to be
  /// read. Null ends it.
  virtual void set_direct_sink(DirectSink*) noexcept {}

  /// This stream as a sink, or null when it cannot take bytes without waiting.
  [[nodiscard]] virtual DirectSink* as_sink() noexcept { return nullptr; }

  // The same for a coroutine: each waits until there is something, or `cancel` (may be null) asks
  // for the end: then Errc::cancelled, and what arrived meanwhile is the next one's.
  [[nodiscard]] coro::Task<Result<std::size_t>> writable(coro::CancelSource* cancel);
  [[nodiscard]] coro::Task<Result<Buffer>> read(std::size_t bytes_max, coro::CancelSource* cancel);
  [[nodiscard]] coro::Task<Error> failure(coro::CancelSource* cancel);
};

}  // namespace aquifer::io
