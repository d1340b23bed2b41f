// Copy: bytes between two streams in both directions, half closes and resets passed on, until both
// directions ended. One loop. Owned by whoever owns the streams.
//
// It is no coroutine: a node holds tens of thousands of idle connections, and what one of them is
// while nothing moves is this object and the two streams. Each direction waits for one thing at a
// time, tells it by a Wakeup, and goes on from the ready queue.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/coro/wakeup.h"
#include "common/coro/work_meter.h"
#include "common/io/byte_stream.h"
#include "common/io/copy_counter.h"

#include <cstddef>
#include <cstdint>

namespace aquifer::io {

/// How a copy ended. A reset by an application is an end like another, not an error of ours.
enum class CopyEnd : std::uint8_t {
  complete,   ///< both directions ended by their writers
  reset,      ///< one side threw the connection away; the other was told so
  cancelled,  ///< we were asked to end it
};

/// Told when a copy has ended.
class CopyOwner {
 public:
  /// From the ready queue, and the last that the copy does: it may be destroyed in here.
  virtual void on_copy_end(CopyEnd end) noexcept = 0;

 protected:
  ~CopyOwner() = default;
};

class Copy : coro::CancelHook {
 public:
  /// `client` opened the connection. Bytes are counted by `counter` as they go. All three outlive
  /// the copy.
  Copy(ByteStream& client, ByteStream& server, CopyCounter& counter) noexcept;
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy();

  /// Begins, and tells `owner` once both directions have ended or `cancel` asked for the end. After
  /// `reset` and `cancelled` both streams are aborted; the owner only destroys them.
  /// `read_under_way`, if not 0: somebody else began to read up to so many bytes from the client,
  /// and leaves that read to the copy. The server then has nothing unsent.
  void start(coro::CancelSource& cancel, CopyOwner& owner, std::size_t read_under_way = 0) noexcept;

  /// start(), and waits for the end.
  [[nodiscard]] coro::Task<CopyEnd> run(coro::CancelSource& cancel);

  /// Asks this copy alone to end; before or after start().
  void cancel() noexcept;

 private:
  enum class Stage : std::uint8_t {
    room,   ///< asks the receiver how much it takes
    bytes,  ///< reads that from the source
    watch,  ///< the source has ended its half, but may still throw the whole connection away
    over,
  };

  struct Direction final : DirectSink, coro::Wakeup {
    explicit Direction(Copy& owner) noexcept : Wakeup(&Direction::on_wake), copy(owner) {}
    std::size_t deliver(ByteView bytes) noexcept override;
    static void on_wake(coro::Wakeup& wakeup) noexcept;
    /// One more turn, from the ready queue.
    static void on_turn(void* direction) noexcept;

    Copy& copy;
    DirectSink* sink = nullptr;
    std::size_t allowance = 0;
    Stage stage = Stage::room;
    bool waits = false;   // for the receiver (room) or for the source (bytes, watch)
    bool queued = false;  // for a turn
    bool ended = false;   // the source's end was passed on
  };

  [[nodiscard]] ByteStream& source(const Direction& direction) const noexcept {
    return &direction == &up_ ? client_ : server_;
  }
  [[nodiscard]] ByteStream& receiver(const Direction& direction) const noexcept {
    return &direction == &up_ ? server_ : client_;
  }
  [[nodiscard]] Direction& other(const Direction& direction) noexcept {
    return &direction == &up_ ? down_ : up_;
  }
  void count(const Direction& direction, std::size_t bytes) noexcept;

  void enqueue(Direction& direction) noexcept;
  /// As far as it goes without waiting.
  void advance(Direction& direction) noexcept;
  [[nodiscard]] bool ask_for_room(Direction& direction) noexcept;
  [[nodiscard]] bool move_bytes(Direction& direction) noexcept;
  void pass_end_on(Direction& direction) noexcept;
  [[nodiscard]] bool watch(Direction& direction) noexcept;
  void fail() noexcept;
  void stop_waiting(Direction& direction) noexcept;
  [[nodiscard]] static bool at_rest(const Direction& direction) noexcept {
    return direction.stage == Stage::over && !direction.waits && !direction.queued;
  }
  void finish_if_over() noexcept;
  static void on_cancel(coro::CancelHook& hook) noexcept;

  ByteStream& client_;
  ByteStream& server_;
  CopyCounter& counter_;
  CopyOwner* owner_ = nullptr;
  coro::WorkShare* share_ = nullptr;  // for whom the bytes are moved
  Direction up_;
  Direction down_;
  CopyEnd end_ = CopyEnd::complete;
  bool stopping_ = false;
};

}  // namespace aquifer::io
