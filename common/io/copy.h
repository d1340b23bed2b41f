// Copy: bytes between two streams in both directions, half closes and resets passed on, until both
// directions ended. One loop; lives in the frame of the connection it serves.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/scope.h"
#include "common/coro/task.h"
#include "common/io/byte_stream.h"
#include "common/io/copy_counter.h"

#include <cstdint>

namespace aquifer::io {

/// How a copy ended. A reset by an application is an end like another, not an error of ours.
enum class CopyEnd : std::uint8_t {
  complete,   ///< both directions ended by their writers
  reset,      ///< one side threw the connection away; the other was told so
  cancelled,  ///< we were asked to end it
};

class Copy {
 public:
  /// `client` opened the connection. Bytes are counted by `counter` as they go. All three outlive
  /// the copy.
  Copy(ByteStream& client, ByteStream& server, CopyCounter& counter) noexcept
      : up_(client, server, Side::client, counter), down_(server, client, Side::server, counter) {}
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;

  /// Runs until both directions ended or `cancel` asks for the end. After `reset` and `cancelled`
  /// both streams are aborted; the caller only destroys them.
  [[nodiscard]] coro::Task<CopyEnd> run(coro::CancelSource& cancel);

  /// Asks this copy alone to end; before or during run().
  void cancel() noexcept { scope_.cancel(); }

 private:
  enum class Side : std::uint8_t { client, server };

  struct Direction final : DirectSink {
    Direction(ByteStream& f, ByteStream& t, Side s, CopyCounter& c) noexcept
        : from(f), to(t), counter(c), source(s) {}
    std::size_t deliver(ByteView bytes) noexcept override;
    void count(std::size_t bytes) noexcept;

    ByteStream& from;
    ByteStream& to;
    CopyCounter& counter;
    DirectSink* sink = nullptr;
    Side source;
    bool ended = false;
  };
  coro::Task<void> pump(Direction& direction, Direction& other);
  /// Until the source has ended (true) or the direction failed (false).
  coro::Task<bool> move_bytes(Direction& direction);
  void fail() noexcept;

  Direction up_;
  Direction down_;
  CopyEnd end_ = CopyEnd::complete;
  coro::Scope scope_;
};

}  // namespace aquifer::io
