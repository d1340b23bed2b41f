// A request that is served on another loop than its client's: what both loops share, and how each
// looks at it. Everything that crosses is a value, what waits is bounded, and each side is woken by
// its own loop's mailbox.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/event.h"
#include "common/coro/task.h"
#include "common/http/stream.h"
#include "common/io/loop.h"

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>

namespace aquifer::waypoint {

/// One direction: a queue between two loops.
template <typename Item>
class LoopPipe {
 public:
  /// Bytes that may wait. Twice what one read gives, so that neither side waits for the other.
  static constexpr std::size_t kBytesMax = 128 * 1024;

  LoopPipe(io::Loop& writer, io::Loop& reader) noexcept : writer_(writer), reader_(reader) {}

  // On the writer's loop.
  /// May more be put in? If not, `room` will be notified.
  [[nodiscard]] bool has_room() {
    const std::lock_guard lock(mutex_);
    writer_waits_ = bytes_ >= kBytesMax && !abandoned_;
    return !writer_waits_;
  }
  /// The reader has gone: nothing is wanted any more.
  [[nodiscard]] bool abandoned() {
    const std::lock_guard lock(mutex_);
    return abandoned_;
  }
  template <typename Owner>
  void put(Item item, std::size_t bytes, const std::shared_ptr<Owner>& owner) {
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      if (abandoned_) return;
      items_.push_back({std::move(item), bytes});
      bytes_ += bytes;
      wake = std::exchange(reader_waits_, false);
    }
    if (wake) reader_.post([this, owner] { arrived.notify(); });
  }

  // On the reader's loop.
  /// The next item; none: `arrived` will be notified.
  template <typename Owner>
  [[nodiscard]] std::optional<Item> take(const std::shared_ptr<Owner>& owner) {
    std::optional<Item> item;
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      if (items_.empty()) {
        reader_waits_ = true;
        return item;
      }
      item.emplace(std::move(items_.front().item));
      bytes_ -= items_.front().bytes;
      items_.pop_front();
      if (bytes_ < kBytesMax) wake = std::exchange(writer_waits_, false);
    }
    if (wake) writer_.post([this, owner] { room.notify(); });
    return item;
  }
  template <typename Owner>
  void abandon(const std::shared_ptr<Owner>& owner) {
    {
      const std::lock_guard lock(mutex_);
      abandoned_ = true;
      items_.clear();
      bytes_ = 0;
    }
    writer_.post([this, owner] { room.notify(); });
  }

  coro::Event arrived;  ///< of the reader's loop
  coro::Event room;     ///< of the writer's loop

 private:
  struct Held {
    Item item;
    std::size_t bytes;
  };
  io::Loop& writer_;
  io::Loop& reader_;
  std::mutex mutex_;
  std::deque<Held> items_;
  std::size_t bytes_ = 0;
  bool reader_waits_ = false;
  bool writer_waits_ = false;
  bool abandoned_ = false;
};

/// What a request's client says: bytes of the body, its end with the trailers, or why the rest will
/// not come.
struct BodyEnd {
  HeaderFields trailers;
};
using FromClient = std::variant<io::Buffer, BodyEnd, Error>;
/// What it is told.
struct Interim {
  http::ResponseHead head;
};
struct Answer {
  http::ResponseHead head;
  http::End end;
};
struct Cut {
  http::Abort why;
};
using ToClient = std::variant<Interim, Answer, io::Buffer, BodyEnd, Cut>;

struct Handoff {
  Handoff(io::Loop& client_loop, io::Loop& serving_loop, http::RequestHead request, bool no_body)
      : head(std::move(request)),
        bodyless(no_body),
        connect(head.method == "CONNECT"),
        up(client_loop, serving_loop),
        down(serving_loop, client_loop) {}
  http::RequestHead head;
  const bool bodyless;
  const bool connect;
  LoopPipe<FromClient> up;
  LoopPipe<ToClient> down;
};

/// The client's side, on its loop: carries bytes between `stream` and the other loop until the
/// answer is complete or one of them has given up.
[[nodiscard]] coro::Task<void> relay(std::shared_ptr<Handoff> handoff, http::ServerStream& stream,
                                     coro::CancelSource* cancel);

/// The serving side, on its loop: the request as if its client were here.
[[nodiscard]] std::unique_ptr<http::ServerStream> serving_side(std::shared_ptr<Handoff> handoff);

}  // namespace aquifer::waypoint
