// EarlyData: what a client says before its CONNECT is answered. It is read, and sent behind the
// HEADERS instead of a round trip later (RFC 9113 section 8.5 lets DATA of a CONNECT follow them),
// bounded and kept, so that a tunnel whose peer never looked at the request costs none of it.
//
// Lives in the frame of the connection's set-up, on its loop.
#pragma once

#include "common/base/bytes.h"
#include "common/coro/event.h"
#include "common/coro/task.h"
#include "common/coro/wakeup.h"
#include "common/io/socket_stream.h"

#include <cstddef>
#include <vector>

namespace aquifer::hbone {

class TunnelStream;

class EarlyData : coro::Wakeup {
 public:
  /// Read before the answer at most: a request and its body's beginning, in one TLS record. What
  /// comes after that waits in the client's socket.
  static constexpr std::size_t kBytesMax = 16 * 1024;

  /// `client` outlives it, and is read by nobody else until give_up() or the answer.
  explicit EarlyData(io::SocketStream& client) noexcept
      : Wakeup(&EarlyData::on_wake), client_(client) {}
  EarlyData(const EarlyData&) = delete;
  EarlyData& operator=(const EarlyData&) = delete;

  /// From now on it is for `stream`, whose HEADERS are queued: what is kept goes there first.
  void begin(TunnelStream& stream);
  /// Reads what has come and sends it. Called by whoever waits for the answer, whenever the
  /// stream's reader is woken.
  void pass_on();
  /// The answer is there, or the stream is given up: nothing is sent to it any more. A read that is
  /// under way is the client's next reader's.
  void end() noexcept { stream_ = nullptr; }
  /// Without an answer the client will not be read again: ends the read that is under way.
  [[nodiscard]] coro::Task<void> give_up();

  /// Of the read that is left to the client's next reader: how many bytes it may give; 0: there is
  /// none.
  [[nodiscard]] std::size_t read_under_way() const noexcept { return waits_ ? kBytesMax : 0; }

  /// Bytes that were sent.
  [[nodiscard]] std::size_t sent() const noexcept { return kept_.size(); }

 private:
  static void on_wake(coro::Wakeup& wakeup) noexcept;
  void send(ByteView bytes);

  io::SocketStream& client_;
  TunnelStream* stream_ = nullptr;
  std::vector<std::uint8_t> kept_;
  coro::Event stopped_;
  bool asked_ = false;  // the client, at any time
  bool waits_ = false;  // for the client
  bool over_ = false;   // the client has ended or failed: whoever reads next hears it
};

}  // namespace aquifer::hbone
