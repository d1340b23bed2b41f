// What the fuzz targets of HTTP/2 share: the peer's bytes taken apart, and a look at what is
// answered.
#pragma once

#include "common/base/assert.h"
#include "common/http2/frame_walker.h"
#include "common/io/loop.h"
#include "tests/unit/common/http2/memory_stream.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace aquifer::http2 {

/// Takes the input apart; zeros when it is used up.
class Input {
 public:
  explicit Input(ByteView bytes) : rest_(bytes) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }
  ByteView bytes(std::size_t count) {
    const ByteView piece = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(piece.size());
    return piece;
  }

 private:
  ByteView rest_;
};

/// The raw end of the connection.
class RawEnd {
 public:
  RawEnd(std::unique_ptr<testing::MemoryStream> stream, std::size_t preface)
      : stream_(std::move(stream)), walker_(preface) {}

  void send(std::string_view bytes) {
    std::ignore = stream_->write(io::Buffer::copy_of(as_bytes(bytes)));
  }
  /// A frame whose length is right: type, flags, stream and size from the input, then the payload.
  void send_frame(Input& input) {
    std::string frame(9, '\0');
    frame[3] = static_cast<char>(input.byte() % 12);
    frame[4] = static_cast<char>(input.byte());
    frame[8] = static_cast<char>(input.byte());
    const ByteView payload = input.bytes(input.byte());
    frame[2] = static_cast<char>(payload.size());
    send(frame.append(as_text(payload)));
  }
  /// What is said are frames of known kinds and within the usual size.
  void check_answers() {
    const io::Buffer said = stream_->take_all();
    walker_.walk(said.view(), [](const FrameHead& head) {
      AQUIFER_ASSERT(head.length <= 16384 && head.type <= 9 && head.type != 5);
    });
  }
  void end() { std::ignore = stream_->shutdown_write(); }
  void abort() { stream_->abort(); }

 private:
  std::unique_ptr<testing::MemoryStream> stream_;
  FrameWalker walker_;
};

/// Everybody who is ready gets a few turns.
inline coro::Task<void> let_run() {
  for (int round = 0; round < 6; ++round) co_await io::yield();
}

inline io::Loop& loop_of_thread() {
  static const auto loop = io::Loop::create(io::BackendChoice::epoll).value();
  return *loop;
}

}  // namespace aquifer::http2
